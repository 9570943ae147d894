"""Group relative policy optimisation on single decisions: the paper's second stage.

TRL's GRPOTrainer, with each prompt read once per group (:mod:`taskreason.training.trainer`). A prompt is one expert
state, a group is ``group_size`` sampled replies to it, the reward is 0.1 for the format plus 0.9 when the action is the
expert's, the advantage (reward - group mean) / group std, and beta weighs the KL divergence from the SFT policy.
Departures: with ``augment`` objects carry other numbers at every visit, with ``rehearsal`` some states are those of
generic chores, where any optimal action counts, and with ``reward: optimal`` it counts in the task's states, too; with
``reward: binary`` the expert's action earns 1 and everything else 0.
With ``turns: multi`` whole episodes take the place of single decisions (:mod:`taskreason.training.multi_turn`).
"""

import random
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig

from taskreason.config.models import Config, Prompt
from taskreason.durability.provenance import write_provenance
from taskreason.environments.robotouille.pretraining.curriculum import (
    CHORE,
    count_chores,
    draw_rehearsal,
)
from taskreason.environments.robotouille.renaming import draw_renaming, rename
from taskreason.policies.model_names import check_colocation, limit_length
from taskreason.policies.prompt import list_messages
from taskreason.policies.reply import score_reply
from taskreason.rollouts.dataset import Decision, load_decisions, load_starts
from taskreason.training import count_steps
from taskreason.training.multi_turn import MultiTurnTrainer, episode_reward
from taskreason.training.setup import (
    CurveLog,
    TrainingFiles,
    common_arguments,
    load_trainee,
    make_adapters,
    read_dtype,
    split_batch,
    train_and_save,
)
from taskreason.training.trainer import SharedPromptTrainer
from taskreason.training.validation import ValidationLog

SPARE_TOKENS = 8
"""Tokens by which a sampled reply may exceed the longest of the expert's."""

COLUMNS = {
    "reward": "reward",
    "reward_std": "reward_std",
    "reward_format": "rewards/format_reward/mean",
    "reward_action": "rewards/action_reward/mean",
    "kl": "kl",
    "entropy": "entropy",
    "zero_std_share": "frac_reward_zero_std",
    "completion_length": "completions/mean_length",
    "generated_tokens": "generated_tokens",
    "loss": "loss",
    "learning_rate": "learning_rate",
}
MISMATCH = {"sampler_mismatch": "sampling/sampling_logp_difference/mean"}
"""Where vLLM samples: by how much its log-probabilities of the sampled tokens differ from the trainer's, on average."""


def train_grpo(
    task: str,
    cfg: Config,
    files: TrainingFiles,
    kitchens: Path,
    validation: Path,
    training: Path | None = None,
    tokens: int = 0,
) -> None:
    """Improve the SFT policy of one task by GRPO on its expert states; resumes from the checkpoints.

    kitchens: validation kitchens, in which the policy is watched meanwhile. validation: CSV log of that. training: the
    kitchens of the trajectories, where ``grpo.turns`` is multi. tokens: end with the step that brings those sampled
    to so many, however many steps that takes; 0: after ``grpo.steps`` or ``grpo.epochs``.
    """
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    model, tokenizer = load_trainee(files.start, cfg)
    grpo = cfg.grpo
    pool = decisions + draw_rehearsal(cfg.seed, count_chores(len(decisions), grpo.rehearsal))
    lengths = [*map(len, tokenizer([decision.completion for decision in pool])["input_ids"])]
    completions = grpo.prompts_per_step * grpo.group_size
    # Few replies that can be right are shorter than the expert's shortest, so the tokens are reached before the steps.
    steps = -(-tokens // (completions * min(lengths))) or count_steps(grpo, len(pool))
    prompts = steps * grpo.prompts_per_step
    # One reply that rambles on holds up its whole batch, and nothing longer than the expert's can be right.
    longest = max(lengths)
    kind, rewards, options = SharedPromptTrainer, REWARDS[grpo.reward], {}
    if grpo.turns == "multi":
        seen = {decision.layout_hash for decision in decisions}
        starts = [s for s in load_starts(task, training) if s.kitchen.layout.hash in seen]
        kind, rewards = MultiTurnTrainer, [episode_reward]
        options = {"starts": starts, "timeout": cfg.timeout_of(task)}
        options |= {"prompt": cfg.prompt, "augment": grpo.augment}
    trainer = kind(
        model=model,
        reward_funcs=rewards,
        args=GRPOConfig(
            max_steps=steps,
            generation_batch_size=completions,
            num_generations=grpo.group_size,
            max_completion_length=min(cfg.rollout.max_new_tokens, longest + SPARE_TOKENS),
            temperature=grpo.temperature,
            beta=grpo.beta,
            loss_type="grpo",
            scale_rewards="group",
            learning_rate=grpo.learning_rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=min(5, steps // 2),
            shuffle_dataset=False,
            logging_steps=1,
            **choose_sampler(cfg, files.start),
            **split_batch(
                "grpo.prompts_per_step times grpo.group_size", completions, grpo.micro_batch
            ),
            **common_arguments(files.checkpoints, grpo.save_steps, cfg.seed, cfg.train),
        ),
        train_dataset=Dataset.from_list(
            [
                row | {"prompt": ask(row["prompt"], cfg.prompt)}
                for row in draw_prompts(pool, prompts, grpo.augment, grpo.reward, cfg.seed)
            ]
        ),
        processing_class=tokenizer,
        peft_config=make_adapters(cfg.train),
        **options,
    )
    columns = COLUMNS if grpo.vllm == "none" else COLUMNS | MISMATCH
    curve = CurveLog(files.curve, columns, prompts / len(pool), f"GRPO {task}")
    watch = ValidationLog(validation, task, cfg, decisions, kitchens, tokenizer)
    trainer.add_callback(watch)
    if tokens:
        trainer.add_callback(TokenBudget(tokens))
    seconds = train_and_save(
        trainer, tokenizer, files.model, files.checkpoints, curve, read_dtype(files.start)
    )
    if seconds is not None:
        watch.write()
        write_provenance(files.provenance, cfg, seconds)


class TokenBudget(TrainerCallback):
    """Ends a training with the step after which so many tokens have been sampled, over all runs that it took."""

    def __init__(self, tokens: int):
        self.tokens = tokens

    def on_log(self, args, state, control, **kwargs):
        """Count what has been sampled so far; the trainer's log survives in its checkpoints."""
        if sum(row.get("generated_tokens", 0) for row in state.log_history) >= self.tokens:
            control.should_training_stop = True


def choose_sampler(cfg: Config, folder: Path) -> dict[str, object]:
    """TRL's arguments for who samples a model's completions: itself, or a vLLM engine beside it or elsewhere."""
    grpo = cfg.grpo
    if grpo.vllm == "none":
        return {}
    options = {"use_vllm": True, "vllm_mode": grpo.vllm}
    if grpo.vllm == "server":
        return options | {"vllm_server_base_url": grpo.vllm_server}
    check_colocation(folder)
    return options | {
        "vllm_gpu_memory_utilization": grpo.vllm_memory,
        "vllm_max_model_length": limit_length(folder, cfg.rollout.max_model_len),
    }


def ask(text: str, prompt: Prompt) -> str | list[dict[str, str]]:
    """A prompt as TRL takes it: text, or a conversation."""
    return text if prompt.style == "plain" else list_messages(text)


def read_completion(completion: str | list[dict[str, str]]) -> str:
    """A completion as TRL gives it, which is a conversation where the prompt is one, as text."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def draw_prompts(
    decisions: list[Decision], number: int, augment: bool, reward: str, seed: int
) -> Iterator[dict[str, object]]:
    """``number`` prompts, epoch after epoch, each with the actions that earn the action reward."""
    rng = random.Random(f"grpo {seed}")
    pending: list[Decision] = []
    for _ in range(number):
        if not pending:
            pending = rng.sample(decisions, len(decisions))
        decision = pending.pop()
        renaming = draw_renaming(decision.prompt, rng) if augment else {}
        # The expert's choice among equally good actions is worth learning in the task alone.
        any_optimal = reward == "optimal" or decision.layout_hash == CHORE
        accepted = decision.optimal_actions if any_optimal else (decision.action,)
        yield {
            "prompt": rename(decision.prompt, renaming),
            "accepted": [rename(action, renaming) for action in accepted],
        }


def format_reward(completions: list[str], **columns) -> list[float]:
    """0.1 for every reply in the ReAct format, else 0."""
    return [score_reply(read_completion(completion), ())[0] for completion in completions]


def action_reward(completions: list[str], accepted: list[list[str]], **columns) -> list[float]:
    """0.9 for every reply whose action is among the accepted ones, else 0."""
    return [
        score_reply(read_completion(completion), tuple(actions))[1]
        for completion, actions in zip(completions, accepted, strict=True)
    ]


def binary_reward(completions: list[str], accepted: list[list[str]], **columns) -> list[float]:
    """1 for every reply whose action is among the accepted ones, else 0: nothing for the format alone."""
    return [float(earned > 0) for earned in action_reward(completions, accepted)]


REWARDS = {
    "expert": [format_reward, action_reward],
    "optimal": [format_reward, action_reward],
    "binary": [binary_reward],
}
"""What ``grpo.reward`` pays; which actions are accepted, the prompts say."""
