"""Group relative policy optimisation on single decisions: the paper's second stage.

TRL's GRPOTrainer, with each prompt read once per group (:mod:`taskreason.training.trainer`). A prompt is one expert
state, a group is ``group_size`` sampled replies to it, the reward one of :mod:`taskreason.training.rewards`, the
advantage (reward - group mean) / group std, and beta weighs the KL divergence from the SFT policy.
Departures: with ``augment`` objects carry other names at every visit, and with ``rehearsal`` some states are those of
the environment's rehearsal, where any optimal action counts.
With ``turns: multi`` whole episodes take the place of single decisions.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig

from taskreason.config.models import Config
from taskreason.durability.progress import say
from taskreason.environments.base import Decision, Environment
from taskreason.environments.reply import parse_reply
from taskreason.policies.fused import is_supported
from taskreason.policies.generation import Sampling
from taskreason.policies.model_names import check_colocation, limit_length
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy, choose_dtype
from taskreason.rollouts.dataset import load_decisions, load_starts
from taskreason.rollouts.episode import run_episodes
from taskreason.rollouts.evaluate import score_single_turns
from taskreason.training import GRPO_LOSS, VALIDATION_STATES, count_steps, setup
from taskreason.training.checkpoints import CurveLog, RowLog
from taskreason.training.focus import draw_focused, find_missed
from taskreason.training.rehearsal import count_rehearsed, take_decisions
from taskreason.training.rewards import REWARDS
from taskreason.training.scoring import copy_model
from taskreason.training.trainer import (
    MultiTurnTrainer,
    SharedPromptTrainer,
    episode_reward,
)

BATCH_KEY = "grpo.prompts_per_step times grpo.group_size"
SPARE_TOKENS = 7
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


def train_grpo(task: str, cfg: Config, files: setup.TrainingFiles, tokens: int = 0) -> None:
    """Improve the SFT policy of one task by GRPO on its expert states; resumes from the checkpoints.

    tokens: end with the step that brings the tokens sampled to this number; 0: after ``grpo.steps`` or ``grpo.epochs``.
    """
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    model, tokenizer = setup.load_trainee(files.start, cfg)
    grpo = cfg.grpo
    pool = decisions + draw_rehearsed(cfg, len(decisions), files.rehearsal)
    lengths = setup.count_tokens([decision.completion for decision in pool], tokenizer)
    setup.tell_cut_replies(lengths, cfg, f"GRPO {task}")
    completions = grpo.prompts_per_step * grpo.group_size
    # Few replies that can be right are shorter than the expert's shortest, so the tokens are reached before the steps.
    steps = -(-tokens // (completions * min(lengths))) or count_steps(grpo, len(pool))
    prompts = steps * grpo.prompts_per_step
    asked = choose_format(cfg)
    kind, rewards = SharedPromptTrainer, list_rewards(grpo.reward)
    options = {"filter_groups": grpo.filter_groups}
    if grpo.turns == "multi":
        seen = {decision.layout_hash for decision in decisions}
        starts = [s for s in load_starts(task, files.training, cfg.env) if s.world.id in seen]
        kind, rewards = MultiTurnTrainer, [episode_reward]
        options = {"starts": starts, "timeout": cfg.timeout_of(task)}
        options |= {"prompt": asked, "rename": cfg.env if grpo.augment else None}
    missed = find_missed(pool, model, tokenizer, cfg)
    drawn = draw_prompts(pool, missed, prompts, cfg)
    rows = [{"prompt": asked.ask(d.prompt), "decision": asdict(d)} for d in drawn]
    trainer = kind(
        model=model,
        reward_funcs=rewards,
        args=GRPOConfig(
            max_steps=steps,
            generation_batch_size=completions,
            num_generations=grpo.group_size,
            # One reply that rambles on holds up its batch, and nothing longer than the expert's can be right.
            max_completion_length=min(cfg.rollout.max_new_tokens, max(lengths) + SPARE_TOKENS),
            temperature=grpo.temperature,
            beta=grpo.beta,
            **GRPO_LOSS,
            learning_rate=grpo.learning_rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=min(5, steps // 2),
            shuffle_dataset=False,
            logging_steps=1,
            **choose_sampler(cfg, files.start),
            **setup.split_batch(BATCH_KEY, completions, grpo.micro_batch),
            **setup.common_arguments(files.checkpoints, grpo.save_steps, cfg.seed, cfg.train),
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=setup.make_adapters(cfg.train),
        **options,
    )
    columns = COLUMNS if grpo.vllm == "none" else COLUMNS | MISMATCH
    curve = CurveLog(files.curve, columns, prompts / len(pool), f"GRPO {task}")
    trainer.add_callback(ValidationLog(task, cfg, files, decisions, tokenizer))
    if tokens:
        trainer.add_callback(TokenBudget(tokens))
    setup.train_policy(trainer, cfg, files, curve)


class ValidationLog(RowLog):
    """Validates the policy before the first step, every ``eval_steps`` steps and after the last; 0: never.

    That tells learning from fitting by three greedy measures: the share of training states on which the reply names the
    expert's action, the same on the expert's states in worlds that training never saw, and SR in those worlds. None of
    them touches the evaluation worlds, and none draws a random number, so watching changes nothing about the training.
    """

    file = "validation.json"
    header = ["step", "training_states", "unseen_states", "sr"]

    def __init__(
        self,
        task: str,
        cfg: Config,
        files: setup.TrainingFiles,
        decisions: list[Decision],
        tokenizer,
    ):
        super().__init__(files.validation)
        self.task, self.cfg, self.tokenizer = task, cfg, tokenizer
        rng = random.Random("validation")
        self.known = rng.sample(decisions, min(VALIDATION_STATES, len(decisions)))
        self.starts = load_starts(task, files.worlds, cfg.env)

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        """Take up what was seen before the checkpoint; without one, the first validation."""
        super().on_train_begin(args, state, control)
        if not state.global_step:
            self._validate(state, model)

    def on_step_end(self, args, state, control, model=None, **kwargs):
        """A validation after every ``eval_steps`` steps."""
        if self.cfg.grpo.eval_steps and state.global_step % self.cfg.grpo.eval_steps == 0:
            self._validate(state, model)

    def on_train_end(self, args, state, control, model=None, **kwargs):
        """A validation after the last step, whether or not that was planned."""
        if self.rows and self.rows[-1]["step"] < state.global_step:
            self._validate(state, model)
        super().on_train_end(args, state, control)

    def _validate(self, state, model) -> None:
        if not (self.cfg.grpo.eval_steps and state.is_world_process_zero):
            return
        size, sampling = self.cfg.rollout.batch_size, Sampling(self.cfg.rollout.max_new_tokens)
        if not is_supported(model):
            model = copy_model(model).to(choose_dtype()).eval()
        policy = TransformersPolicy(
            model, self.tokenizer, "policy", size, sampling, choose_format(self.cfg)
        )
        replies = policy.complete([decision.prompt for decision in self.known])
        pairs = zip(replies, self.known, strict=True)
        right = sum(parse_reply(reply).action == known.action for reply, known in pairs)
        unseen = score_single_turns(policy, self.starts, VALIDATION_STATES, self.cfg.env)
        episodes = run_episodes(policy, self.starts, self.cfg.timeout_of(self.task), size)
        row = {
            "training_states": right / len(self.known),
            "unseen_states": unseen["expert"] / unseen["states"],
            "sr": sum(episode.success for episode in episodes) / len(episodes),
        }
        self.rows.append({"step": state.global_step} | row)
        shown = ", ".join(f"{key} {value:.2f}" for key, value in row.items())
        say(f"GRPO {self.task}: step {state.global_step}/{state.max_steps}, {shown}")


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


def draw_rehearsed(cfg: Config, number: int, file: Path | None = None) -> list[Decision]:
    """The decisions that GRPO rehearses with ``number`` of a task; file: those of the seed that are drawn already."""
    return take_decisions(cfg, cfg.seed, count_rehearsed(number, cfg.grpo.rehearsal), file)


def draw_prompts(
    pool: list[Decision], missed: list[Decision], number: int, cfg: Config
) -> Iterator[Decision]:
    """``number`` decisions to be asked about; with ``grpo.augment`` each under new names."""
    rng = random.Random(f"grpo {cfg.seed}")
    for decision in draw_focused(pool, missed, number, cfg.grpo.focus, rng):
        yield rename_decision(decision, rng, cfg.env) if cfg.grpo.augment else decision


def rename_decision(decision: Decision, rng: random.Random, environment: Environment) -> Decision:
    """The same decision under other names, in prompt, reply and actions alike."""
    renaming = environment.draw_renaming(decision.prompt, rng)
    texts = {key: getattr(decision, key) for key in ("prompt", "completion", "action")}
    renamed = {key: environment.rename(text, renaming) for key, text in texts.items()}
    accepted = (environment.rename(action, renaming) for action in decision.optimal_actions)
    return replace(decision, **renamed, optimal_actions=tuple(accepted))


def list_rewards(name: str) -> list[Callable]:
    """A reward of :data:`taskreason.training.rewards.REWARDS` as TRL takes it: one function a part, named after it."""
    chosen = REWARDS[name]

    def pay(place: int, part: str) -> Callable:
        def earn(completions: list, decision: list[dict], **columns) -> list[float]:
            # TRL gives a conversation where the prompt is one.
            replies = [c if isinstance(c, str) else c[-1]["content"] for c in completions]
            pairs = zip(replies, decision, strict=True)
            return [chosen.function(reply, Decision(**row))[place] for reply, row in pairs]

        earn.__name__ = f"{part}_reward"  # under which TRL logs it
        return earn

    return [pay(place, part) for place, part in enumerate(chosen.parts)]
