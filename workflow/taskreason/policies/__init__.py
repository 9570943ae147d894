"""Policies: anything that answers prompts. All share one call, so that a stage can take any of them.

``act(turns)`` takes a batch of :class:`Turn` and returns one reply text a turn, in order. A model reads only the
prompt; rules and the teacher read the world and its state instead.
"""

from dataclasses import dataclass
from typing import Protocol

from taskreason.environments.base import State, World


@dataclass(frozen=True)
class Turn:
    """One decision to be made: the world, its state, and the step before in words ("" at the start)."""

    world: World
    state: State
    before: str = ""


class Policy(Protocol):
    """What every policy offers; ``name`` goes into the episodes as ``model``."""

    name: str

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
