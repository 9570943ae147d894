"""What a report calls its policies and tasks, and which of them it expects."""

from collections.abc import Mapping

from taskreason.policies.model_names import shorten

POLICIES = ("expert", "base", "sft", "sft_grpo")
BASELINES = ("random", "greedy", "sft_longer")  # what the paper's policies are measured against
GRID_POLICY = "sft_grpo"  # the policy that is trained on one task and evaluated on all

POLICY_LABELS = {
    "expert": "Expert",
    "base": "Base",
    "sft": "SFT",
    "sft_grpo": "SFT + GRPO",
    "sft_longer": "Longer SFT",
    "random": "Random",
    "greedy": "Rule of thumb",
}


def is_untrained(policy: str) -> bool:
    """True for a policy that has no training task: the expert, rules and the base models."""
    return policy in ("expert", "base", "random", "greedy") or is_compared(policy)


def name_compared(model: str) -> str:
    """The policy of a model that is evaluated beside the base model, without training: a folder, hub or api name."""
    return f"base:{shorten(model)}"


def is_compared(policy: str) -> bool:
    """True for what `name_compared` names."""
    return policy.startswith("base:")


def list_policies(config: Mapping) -> list[str]:
    """All policies of a run with this configuration: the paper's, base models of other sizes, baselines."""
    return [
        *POLICIES,
        *map(name_compared, config["base"]["compare"]),
        *config["report"]["baselines"],
    ]


def is_baseline(policy: str) -> bool:
    """True for what the paper's policies are measured against."""
    return policy in BASELINES or is_compared(policy)


def task_title(task: str) -> str:
    """'cheese_burger' -> 'Cheese burger'."""
    return task.replace("_", " ").capitalize()


def break_title(task: str) -> str:
    """The title on two lines, for narrow headings: 'Cheese burger' -> 'Cheese / burger'."""
    return task_title(task).replace(" ", "\n", 1)


def label_policy(policy: str) -> str:
    """Printed name of a policy: `base:small` -> 'Base, small'."""
    return POLICY_LABELS.get(policy, policy.replace("base:", "Base, "))
