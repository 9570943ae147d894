"""Policies: anything that answers prompts. All share one call, so that a stage can take any of them.

``act(turns)`` takes a batch of :class:`Turn` and returns one reply text a turn, in order. A model reads only the
prompt; the planner reads the kitchen and its state instead.
"""

from dataclasses import dataclass
from typing import Protocol

from taskreason.kitchen.engine import Kitchen, State
from taskreason.task import build_prompt


@dataclass(frozen=True)
class Turn:
    """One decision to be made: the kitchen, its state and the prompt that describes it."""

    kitchen: Kitchen
    state: State
    prompt: str


class Policy(Protocol):
    """What every policy offers; ``name`` goes into the episodes as ``model``."""

    name: str

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""


def make_turn(kitchen: Kitchen, state: State) -> Turn:
    """The turn for a state, with the prompt that every stage uses."""
    return Turn(kitchen, state, build_prompt(kitchen, state))
