"""How a policy does in validation worlds while GRPO trains it: the figure that tells learning from fitting.

Three greedy measures: the share of training states on which the reply names the expert's action, the same on the
expert's states in worlds that training never saw, and SR in those worlds. None of them touches the evaluation
worlds, and none draws a random number, so watching changes nothing about the training.
"""

import random
from pathlib import Path

import pandas as pd
from transformers import PreTrainedTokenizerBase, TrainerCallback

from taskreason.config.models import Config
from taskreason.durability.progress import say
from taskreason.environments.base import Decision
from taskreason.environments.reply import parse_reply
from taskreason.policies.generation import Sampling
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import run_episodes
from taskreason.rollouts.evaluate import score_single_turns
from taskreason.training import VALIDATION_STATES
from taskreason.training.checkpoints import keep_rows, take_up_rows
from taskreason.training.curve import write_table
from taskreason.training.trainer import copy_model

COLUMNS = ["step", "training_states", "unseen_states", "sr"]
ROWS = "validation.json"
"""What was seen so far, in a checkpoint."""


class ValidationLog(TrainerCallback):
    """Validates the policy before the first step, every ``eval_steps`` steps and after the last; 0: never."""

    def __init__(
        self,
        path: Path,
        task: str,
        cfg: Config,
        decisions: list[Decision],
        worlds: Path,
        tokenizer: PreTrainedTokenizerBase,
    ):
        self.path, self.task, self.cfg, self.tokenizer = path, task, cfg, tokenizer
        rng = random.Random("validation")
        self.known = rng.sample(decisions, min(VALIDATION_STATES, len(decisions)))
        self.starts = load_starts(task, worlds, cfg.env)
        self.rows: list[dict] = []

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        """The first validation; on resuming, take up what was seen up to the checkpoint."""
        self.rows = take_up_rows(args, state, ROWS)
        if not state.global_step and state.is_world_process_zero and self.cfg.grpo.eval_steps:
            self._validate(state, model)

    def on_save(self, args, state, control, **kwargs):
        """Put what was seen into the checkpoint."""
        keep_rows(args, state, ROWS, self.rows)

    def on_step_end(self, args, state, control, model=None, **kwargs):
        """A validation after every ``eval_steps`` steps and at the end."""
        every = self.cfg.grpo.eval_steps
        step = state.global_step
        if every and state.is_world_process_zero and (step % every == 0 or step == state.max_steps):
            self._validate(state, model)

    def on_train_end(self, args, state, control, model=None, **kwargs):
        """A validation at the end, where it came before the last step that was planned."""
        due = self.cfg.grpo.eval_steps and state.is_world_process_zero
        if due and self.rows[-1]["step"] < state.global_step:
            self._validate(state, model)

    def write(self) -> None:
        """Write the finished log; without a validation it holds the header alone."""
        write_table(self.path, pd.DataFrame(self.rows, columns=COLUMNS))

    def _validate(self, state, model) -> None:
        rollout = self.cfg.rollout
        policy = TransformersPolicy(
            copy_model(model),
            self.tokenizer,
            "policy",
            rollout.batch_size,
            Sampling(rollout.max_new_tokens),
            choose_format(self.cfg),
        )
        replies = policy.complete([decision.prompt for decision in self.known])
        right = sum(
            parse_reply(reply).action == decision.action
            for reply, decision in zip(replies, self.known, strict=True)
        )
        unseen = score_single_turns(policy, self.starts, VALIDATION_STATES, self.cfg.env)
        episodes = run_episodes(
            policy, self.starts, self.cfg.timeout_of(self.task), rollout.batch_size
        )
        row = {
            "step": state.global_step,
            "training_states": right / len(self.known),
            "unseen_states": unseen["expert"] / unseen["states"],
            "sr": sum(episode.success for episode in episodes) / len(episodes),
        }
        self.rows.append(row)
        shown = ", ".join(f"{key} {value:.2f}" for key, value in row.items() if key != "step")
        say(f"GRPO {self.task}: step {state.global_step}/{state.max_steps}, {shown}")
