"""Policies without a model: chance, an environment's rules of thumb, its exact teacher, and the teacher with noise."""

import random
from collections.abc import Callable

from taskreason.environments.base import Environment, State, Teacher, World
from taskreason.environments.reply import format_reply, read_thought
from taskreason.policies import Turn


class RulePolicy:
    """Answers by a function of world and state (:attr:`taskreason.environments.base.Environment.rule_policies`)."""

    def __init__(self, name: str, rule: Callable[[World, State], str]):
        self.name, self._rule = name, rule

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [self._rule(turn.world, turn.state) for turn in turns]


class RandomPolicy(RulePolicy):
    """Uniform over the possible actions, the floor for every other policy; the same seed gives the same episodes."""

    def __init__(self, seed: int = 0):
        super().__init__("random", self._draw)
        self._random = random.Random(seed)

    def _draw(self, world: World, state: State) -> str:
        return format_reply("any action will do", self._random.choice(world.actions(state)))


class TeacherPolicy(RulePolicy):
    """The laptop's expert: its action and the thought behind it, or the last possible action where no plan exists."""

    def __init__(self, environment: Environment):
        super().__init__("planner", self._reply)
        self.environment = environment
        self._teachers: dict[World, Teacher] = {}

    def _reply(self, world: World, state: State) -> str:
        if world not in self._teachers:
            self._teachers[world] = self.environment.teacher(world)
        try:
            return self._teachers[world].reply(state)
        except ValueError:
            return format_reply("the goal can't be reached", world.actions(state)[-1])


class NoisyPolicy(TeacherPolicy):
    """The teacher, whose action now and then (``noise``: how likely) gives way to one drawn from all possible ones."""

    def __init__(self, noise: float, environment: Environment, seed: int = 0):
        super().__init__(environment)
        self.noise, self._random = noise, random.Random(seed)

    def _reply(self, world: World, state: State) -> str:
        reply = super()._reply(world, state)
        if self._random.random() >= self.noise:
            return reply
        return format_reply(read_thought(reply), self._random.choice(world.actions(state)))
