"""Group relative policy optimisation on single decisions: the paper's second stage.

TRL's GRPOTrainer, with each prompt read once per group (:mod:`taskreason.training.trainer`). A prompt is one expert
state, a group is ``group_size`` sampled replies to it, the reward one of :mod:`taskreason.training.rewards`, the
advantage (reward - group mean) / group std, and beta weighs the KL divergence from the SFT policy.
Departures: with ``augment`` objects carry other names at every visit, and with ``rehearsal`` some states are those of
the environment's rehearsal, where any optimal action counts.
With ``turns: multi`` whole episodes take the place of single decisions (:mod:`taskreason.training.multi_turn`).
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig

from taskreason.config.models import Config
from taskreason.durability.provenance import write_provenance
from taskreason.environments.base import Decision, Environment
from taskreason.policies.model_names import check_colocation, limit_length
from taskreason.policies.prompt import choose_format
from taskreason.rollouts.dataset import load_decisions, load_starts
from taskreason.training import count_steps
from taskreason.training.curve import CurveLog
from taskreason.training.examples import draw_rehearsed, rename_decision
from taskreason.training.multi_turn import MultiTurnTrainer, episode_reward
from taskreason.training.rewards import REWARDS
from taskreason.training.setup import (
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
    worlds: Path,
    validation: Path,
    training: Path | None = None,
    tokens: int = 0,
) -> None:
    """Improve the SFT policy of one task by GRPO on its expert states; resumes from the checkpoints.

    worlds: validation worlds, in which the policy is watched meanwhile. validation: CSV log of that. training: the
    worlds of the trajectories, where ``grpo.turns`` is multi. tokens: end with the step that brings the tokens
    sampled to this number; 0: after ``grpo.steps`` or ``grpo.epochs``.
    """
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    model, tokenizer = load_trainee(files.start, cfg)
    grpo = cfg.grpo
    pool = decisions + draw_rehearsed(cfg, len(decisions))
    lengths = [*map(len, tokenizer([decision.completion for decision in pool])["input_ids"])]
    completions = grpo.prompts_per_step * grpo.group_size
    # Few replies that can be right are shorter than the expert's shortest, so the tokens are reached before the steps.
    steps = -(-tokens // (completions * min(lengths))) or count_steps(grpo, len(pool))
    prompts = steps * grpo.prompts_per_step
    # One reply that rambles on holds up its whole batch, and nothing longer than the expert's can be right.
    longest = max(lengths)
    asked = choose_format(cfg)
    kind, rewards, options = SharedPromptTrainer, list_rewards(grpo.reward), {}
    if grpo.turns == "multi":
        seen = {decision.layout_hash for decision in decisions}
        starts = [s for s in load_starts(task, training, cfg.env) if s.world.id in seen]
        kind, rewards = MultiTurnTrainer, [episode_reward]
        options = {"starts": starts, "timeout": cfg.timeout_of(task)}
        options |= {"prompt": asked, "rename": cfg.env if grpo.augment else None}
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
                {"prompt": asked.ask(decision.prompt), "decision": asdict(decision)}
                for decision in draw_prompts(pool, prompts, grpo.augment, cfg.seed, cfg.env)
            ]
        ),
        processing_class=tokenizer,
        peft_config=make_adapters(cfg.train),
        **options,
    )
    columns = COLUMNS if grpo.vllm == "none" else COLUMNS | MISMATCH
    curve = CurveLog(files.curve, columns, prompts / len(pool), f"GRPO {task}")
    watch = ValidationLog(validation, task, cfg, decisions, worlds, tokenizer)
    trainer.add_callback(watch)
    if tokens:
        trainer.add_callback(TokenBudget(tokens))
    seconds = train_and_save(
        trainer, tokenizer, files.model, files.checkpoints, curve, read_dtype(files.start)
    )
    if seconds is not None:
        watch.write()
        write_provenance(files.provenance, asdict(cfg), cfg.seed, seconds)


class TokenBudget(TrainerCallback):
    """Ends a training with the step that brings the tokens sampled, over all runs that it took, to a number."""

    def __init__(self, tokens: int):
        self.tokens = tokens

    def on_log(self, args, state, control, **kwargs):
        """Count what has been sampled so far; the trainer's log survives in its checkpoints."""
        if sum(row.get("generated_tokens", 0) for row in state.log_history) >= self.tokens:
            control.should_training_stop = True


def choose_sampler(cfg: Config, folder: Path) -> dict[str, object]:
    """TRL's arguments for who samples a model's completions: itself, or a vLLM engine here or on a server."""
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


def draw_prompts(
    decisions: list[Decision], number: int, augment: bool, seed: int, environment: Environment
) -> Iterator[Decision]:
    """``number`` decisions to be asked about, epoch after epoch; with ``augment`` each under new names."""
    rng = random.Random(f"grpo {seed}")
    pending: list[Decision] = []
    for _ in range(number):
        if not pending:
            pending = rng.sample(decisions, len(decisions))
        decision = pending.pop()
        yield rename_decision(decision, rng, environment) if augment else decision


def list_rewards(name: str) -> list[Callable]:
    """A reward of :data:`taskreason.training.rewards.REWARDS` as TRL takes it: one function a part, named after it."""
    chosen = REWARDS[name]

    def pay(place: int, part: str) -> Callable:
        def earn(completions: list, decision: list[dict], **columns) -> list[float]:
            pairs = zip(completions, decision, strict=True)
            return [chosen.function(_read(c), _restore(d))[place] for c, d in pairs]

        earn.__name__ = f"{part}_reward"  # under which TRL logs it
        return earn

    return [pay(place, part) for place, part in enumerate(chosen.parts)]


def _read(completion: str | list[dict[str, str]]) -> str:
    """A completion as TRL gives it, which is a conversation where the prompt is one, as text."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def _restore(columns: dict[str, Any]) -> Decision:
    """A decision as it went into the data set."""
    return Decision(**columns | {"optimal_actions": tuple(columns["optimal_actions"])})
