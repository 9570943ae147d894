"""GRPO on whole episodes, for comparison: the sparse reward that the paper's single-turn training does without.

A group is ``group_size`` sampled episodes in one world, an episode earns 1 when it succeeds before the timeout and 0
otherwise, and each of its decisions gets the episode's advantage, (reward - group mean) / group std. The loss is that
of the single-turn training, on the same number of decisions a step: episodes are played until there are enough, and
decisions beyond that number are dropped at random.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from taskreason.environments.base import Environment
from taskreason.policies.prompt import PromptFormat
from taskreason.rollouts.episode import Run, Start
from taskreason.training.trainer import SharedPromptTrainer

EPSILON = 1e-4
"""Added to the standard deviation of a group, as in TRL."""


@dataclass
class Step:
    """One decision of an episode. reply: token ids; earned: the episode's reward; advantage: within its group."""

    prompt: str
    reply: list[int]
    earned: float = 0.0
    advantage: float = 0.0


class MultiTurnTrainer(SharedPromptTrainer):
    """A GRPO trainer that plays its own episodes; the dataset only says how many decisions a step has.

    starts: worlds to play in; timeout: in steps; rename: the environment that names objects anew in every group, None
    to keep their names.
    """

    def __init__(
        self,
        *args,
        starts: Sequence[Start],
        timeout: int,
        prompt: PromptFormat,
        rename: Environment | None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.starts, self.timeout, self.prompt_format, self.names = starts, timeout, prompt, rename
        self._replies: list[list[int]] = []

    def _generate_and_score_completions(self, inputs):
        steps = self.collect(len(inputs))
        self._replies = [step.reply for step in steps]
        output = super()._generate_and_score_completions(
            [{"prompt": self.prompt_format.ask(s.prompt), "earned": s.earned} for s in steps]
        )
        # TRL took neighbouring rows for groups.
        found = output["advantages"]
        output["advantages"] = torch.tensor([s.advantage for s in steps]).to(found)
        return output

    def _generate_single_turn(self, prompt_ids, *args, **options):
        if not self._replies:
            return super()._generate_single_turn(prompt_ids, *args, **options)
        replies, self._replies = self._replies, []
        return replies, None

    def collect(self, number: int) -> list[Step]:
        """So many decisions of new episodes, those with equal prompts side by side."""
        # Drawn from the step's own seed, so that an interrupted training plays in the same worlds.
        rng = random.Random(f"episodes {self.args.seed} {self.state.global_step}")
        waiting: list[Start] = []
        steps: list[Step] = []
        while len(steps) < number:
            waiting = waiting or rng.sample(self.starts, len(self.starts))
            length = self.num_generations * (waiting[-1].optimal_steps or self.timeout)
            groups = min(-(-(number - len(steps)) // length), len(waiting))
            steps += self.play([waiting.pop() for _ in range(groups)], rng)
        return sorted(rng.sample(steps, number), key=lambda step: step.prompt)

    def play(self, starts: Sequence[Start], rng: random.Random) -> list[Step]:
        """Every decision of one group of episodes in each world."""
        groups = [[Run(start) for _ in range(self.num_generations)] for start in starts]
        names = []
        for group in groups:
            text = self.prompt_format.describe(group[0].next_turn())
            names.append(self.names.draw_renaming(text, rng) if self.names else {})
        played: dict[int, list[Step]] = {id(run): [] for group in groups for run in group}
        while running := [
            (run, renaming)
            for group, renaming in zip(groups, names, strict=True)
            for run in group
            if not run.success and len(run.actions) < self.timeout
        ]:
            texts = [
                self._rename(self.prompt_format.describe(run.next_turn()), renaming)
                for run, renaming in running
            ]
            ids = self.prompt_format.tokenize(texts, self._tokenizer)
            replies, _ = super()._generate_single_turn(ids, None, {}, 1)
            written = self._tokenizer.batch_decode(replies, skip_special_tokens=True)
            for (run, renaming), text, reply, words in zip(
                running, texts, replies, written, strict=True
            ):
                played[id(run)].append(Step(text, reply))
                run.advance(self._rename(words, {new: old for old, new in renaming.items()}))
        for group in groups:
            rewards = torch.tensor([float(run.success) for run in group])
            advantages = (rewards - rewards.mean()) / (rewards.std() + EPSILON)
            for run, reward, advantage in zip(
                group, rewards.tolist(), advantages.tolist(), strict=True
            ):
                for step in played[id(run)]:
                    step.earned, step.advantage = reward, advantage
        return [step for steps in played.values() for step in steps]

    def _rename(self, text: str, renaming: dict[str, str]) -> str:
        return self.names.rename(text, renaming) if self.names else text


def episode_reward(completions, earned: list[float], **columns) -> list[float]:
    """What the decisions' episodes have earned."""
    return earned
