"""Group relative policy optimisation on single decisions: the paper's second stage.

TRL's GRPOTrainer, with each prompt read once per group (:mod:`taskreason.train.shared_prompt`). A prompt is one expert
state, a group is ``group_size`` sampled replies to it, the reward is 0.1 for the format plus 0.9 when the action is the
expert's, the advantage (reward - group mean) / group std, and beta weighs the KL divergence from the SFT policy.
Departures: with ``augment`` objects carry other numbers at every visit, with ``rehearsal`` some states are those of
generic chores, where any optimal action counts, and with ``reward: optimal`` it counts in the task's states, too.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset
from trl import GRPOConfig

from taskreason.augment import draw_renaming, rename
from taskreason.config_types import Config
from taskreason.policies.transformers import load_model
from taskreason.provenance import write_provenance
from taskreason.task import score_reply
from taskreason.train.chores import CHORE, count_chores, draw_rehearsal
from taskreason.train.common import CurveLog, TrainingFiles, common_arguments, train_and_save
from taskreason.train.shared_prompt import SharedPromptTrainer
from taskreason.train.validation import ValidationLog
from taskreason.trajectories import Decision, load_decisions

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
    "loss": "loss",
    "learning_rate": "learning_rate",
}


def train_grpo(
    task: str, cfg: Config, files: TrainingFiles, kitchens: Path, validation: Path
) -> None:
    """Improve the SFT policy of one task by GRPO on its expert states; resumes from the checkpoints.

    kitchens: validation kitchens, in which the policy is watched meanwhile. validation: CSV log of that.
    """
    decisions = load_decisions(files.trajectories)
    model, tokenizer = load_model(files.start)
    grpo = cfg.grpo
    prompts = grpo.steps * grpo.prompts_per_step
    pool = decisions + draw_rehearsal(cfg.seed, count_chores(len(decisions), grpo.rehearsal))
    # One reply that rambles on holds up its whole batch, and nothing longer than the expert's can be right.
    longest = max(map(len, tokenizer([decision.completion for decision in pool])["input_ids"]))
    completions = grpo.prompts_per_step * grpo.group_size
    trainer = SharedPromptTrainer(
        model=model,
        reward_funcs=[format_reward, action_reward],
        args=GRPOConfig(
            max_steps=grpo.steps,
            per_device_train_batch_size=grpo.micro_batch,
            gradient_accumulation_steps=completions // grpo.micro_batch,
            generation_batch_size=completions,
            num_generations=grpo.group_size,
            max_completion_length=min(cfg.rollout.max_new_tokens, longest + SPARE_TOKENS),
            temperature=grpo.temperature,
            beta=grpo.beta,
            loss_type="grpo",
            scale_rewards="group",
            learning_rate=grpo.learning_rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=min(5, grpo.steps // 2),
            shuffle_dataset=False,
            logging_steps=1,
            **common_arguments(files.checkpoints, grpo.save_steps, cfg.seed),
        ),
        train_dataset=Dataset.from_list(
            list(draw_prompts(pool, prompts, grpo.augment, grpo.reward, cfg.seed))
        ),
        processing_class=tokenizer,
    )
    curve = CurveLog(files.curve, COLUMNS, prompts / len(pool), f"GRPO {task}")
    watch = ValidationLog(validation, task, cfg, decisions, kitchens, tokenizer)
    trainer.add_callback(watch)
    seconds = train_and_save(trainer, tokenizer, files.model, files.checkpoints, curve)
    watch.write()
    write_provenance(files.provenance, cfg, seconds)


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
    return [score_reply(completion, ())[0] for completion in completions]


def action_reward(completions: list[str], accepted: list[list[str]], **columns) -> list[float]:
    """0.9 for every reply whose action is among the accepted ones, else 0."""
    return [
        score_reply(text, tuple(actions))[1]
        for text, actions in zip(completions, accepted, strict=True)
    ]
