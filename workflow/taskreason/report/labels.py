"""What a report calls its policies and tasks, and which of them it expects."""

import re
from collections.abc import Sequence

from taskreason.config.models import Config
from taskreason.durability.errors import UserError, quote
from taskreason.policies.model_names import shorten

POLICIES = ("expert", "base", "sft", "sft_grpo")
"""Those that the paper reports."""
MAIN_POLICIES = ("expert", "base", "grpo", "sft", "sft_longer", "sft_grpo")
"""Those of the main table, as far as a run has them: the paper's and the controls that are trained."""
FOLDERS = {"grpo": "grpo_base", "sft": "sft", "sft_longer": "sft_longer", "sft_grpo": "grpo"}
"""The trained policies, and the folder below models/TASK in which the model of each is."""
TRAINED = tuple(FOLDERS)
GRID_POLICY = "sft_grpo"
"""The policy that is trained on one task and evaluated on all."""
GREEDY = 0.0
"""The temperature of replies that are the likeliest ones."""
POLICY_LABELS = {
    "grpo": "GRPO from base",
    "sft": "SFT",
    "sft_grpo": "SFT + GRPO",
    "sft_longer": "Longer SFT",
    "greedy": "Rule of thumb",
}


def is_untrained(policy: str) -> bool:
    """True for a policy that has no training task: the expert, rules and the base models."""
    return policy not in TRAINED


def name_compared(model: str) -> str:
    """The policy of a model that is evaluated without training, next to the base model."""
    return f"base:{shorten(model)}"


def is_base(policy: str) -> bool:
    """True for the models that are evaluated without training: the base model and what `name_compared` names."""
    return policy.partition(":")[0] == "base"


def list_policies(cfg: Config) -> list[str]:
    """All policies of a run: the paper's, base models of other sizes, and controls."""
    return [*POLICIES, *map(name_compared, cfg.base.compare), *cfg.report.baselines]


def list_temperatures(policy: str, cfg: Config) -> list[float]:
    """Those at which a policy plays with sampled replies, on its own task; the base model plays on every task.

    SFT has further ones, which tell a gain of GRPO from mere sharpening.
    """
    if policy not in (*TRAINED, "base"):
        return []
    further = cfg.rollout.sharpened if policy == "sft" else ()
    return sorted({*further, *([cfg.rollout.temperature] if cfg.rollout.temperature else [])})


def check_labels(cfg: Config) -> None:
    """Raise UserError where two models of a run would have one name, and so one file.

    Letters' case does not tell them apart, as on some file systems it tells no files apart.
    """
    known: dict[str, str] = {}
    for model in cfg.base.compare:
        policy = name_compared(model)
        other = known.setdefault(policy.casefold(), model)
        if other != model:
            raise UserError(
                f"base.compare: {other} and {model} would both be called {policy}; rename one of the folders."
            )
        if not re.fullmatch(r"base:[\w.+-]+", policy):
            raise UserError(
                f"base.compare: {model} can't name files ({quote(policy)}); let its last part have letters, digits and "
                ".+-_ alone."
            )


def list_reported_tasks(cfg: Config) -> list[str]:
    """The tasks that the paper's text is about, whether this run has them or not, and those of the run."""
    return list(dict.fromkeys([*(cfg.env.default_tasks or cfg.env.tasks), *cfg.tasks]))


def task_title(task: str) -> str:
    """'cheese_burger' -> 'Cheese burger'."""
    return task.replace("_", " ").capitalize()


def break_title(task: str) -> str:
    """The title on two lines, for narrow headings: 'Cheese burger' -> 'Cheese / burger'."""
    return task_title(task).replace(" ", "\n", 1)


def label_policy(policy: str) -> str:
    """Printed name of a policy: `base:small` -> 'Base, small'."""
    if policy.startswith("base:"):
        return policy.replace("base:", "Base, ")
    return POLICY_LABELS.get(policy, task_title(policy))


def join_words(words: Sequence[str]) -> str:
    """'a, b and c'; empty for none."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
