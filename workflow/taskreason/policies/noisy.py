"""The planner with slips: it thinks as the expert does, and now and then does something else."""

import random

from taskreason.environments.robotouille.teacher import format_reply
from taskreason.policies import Turn
from taskreason.policies.reply import read_thought
from taskreason.policies.teacher import PlannerPolicy


class SlippingPolicy:
    """With probability ``noise`` the expert's action gives way to one drawn from all valid ones."""

    name = "planner"

    def __init__(self, noise: float, seed: int = 0):
        self.noise = noise
        self._planner = PlannerPolicy()
        self._random = random.Random(seed)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [
            self._slip(turn, reply)
            for turn, reply in zip(turns, self._planner.act(turns), strict=True)
        ]

    def _slip(self, turn: Turn, reply: str) -> str:
        if self._random.random() >= self.noise:
            return reply
        action = self._random.choice(turn.kitchen.valid_actions(turn.state))
        return format_reply(read_thought(reply), action.text)
