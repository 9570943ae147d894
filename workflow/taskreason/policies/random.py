"""A policy that picks a possible action at random: the floor that every other policy is measured against."""

import random

from taskreason.environments.reply import format_reply
from taskreason.policies import Turn


class RandomPolicy:
    """Uniform over the possible actions; the same seed gives the same episodes."""

    name = "random"

    def __init__(self, seed: int = 0):
        self._random = random.Random(seed)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        drawn = (self._random.choice(turn.world.actions(turn.state)) for turn in turns)
        return [format_reply("any action will do", action) for action in drawn]
