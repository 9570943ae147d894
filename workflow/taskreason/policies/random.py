"""A policy that picks a valid action at random: the floor that every other policy is measured against."""

import random

from taskreason.environments.robotouille.teacher import format_reply
from taskreason.policies import Turn


class RandomPolicy:
    """Uniform over the valid actions; the same seed gives the same episodes."""

    name = "random"

    def __init__(self, seed: int = 0):
        self._random = random.Random(seed)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [
            format_reply(
                "any action will do",
                self._random.choice(turn.kitchen.valid_actions(turn.state)).text,
            )
            for turn in turns
        ]
