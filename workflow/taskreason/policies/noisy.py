"""An expert with noise: it thinks as the teacher does, and now and then does something else."""

import random

from taskreason.environments.base import Environment
from taskreason.environments.reply import format_reply, read_thought
from taskreason.policies import Turn
from taskreason.policies.teacher import TeacherPolicy


class NoisyPolicy:
    """With probability ``noise`` the expert's action gives way to one drawn from all possible ones."""

    name = TeacherPolicy.name

    def __init__(self, noise: float, environment: Environment, seed: int = 0):
        self.noise = noise
        self._teacher = TeacherPolicy(environment)
        self._random = random.Random(seed)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        replies = zip(turns, self._teacher.act(turns), strict=True)
        return [self._disturb(turn, reply) for turn, reply in replies]

    def _disturb(self, turn: Turn, reply: str) -> str:
        if self._random.random() >= self.noise:
            return reply
        action = self._random.choice(turn.world.actions(turn.state))
        return format_reply(read_thought(reply), action)
