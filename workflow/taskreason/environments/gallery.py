"""What an environment brings along for the page of episodes: programs that draw worlds and states, and their data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # which imports this module
    from taskreason.environments.base import State, World


class Gallery(Protocol):
    """How an environment shows its worlds and states on the page of episodes.

    A world's record on the page holds all that :meth:`describe_world` says, ``states`` with what :meth:`describe_state`
    says of each, and ``actions`` and ``texts``, to which steps refer by number (see ``readStep`` in episodes.js).
    """

    programs: Sequence[Path]
    """JavaScript files that define what the page calls: ``drawState(world, episode, number)``, an element that shows
    the state before a step, from 1, or at the end; ``drawGoal(goal)``, a list of elements; ``tellState(world, state)``,
    lines of text for those who can't see the drawing."""
    style: Path | None
    """A style sheet for what they draw."""

    def about(self) -> dict[str, Any]:
        """Constants that the programs need, as JSON values."""

    def describe_world(self, world: World) -> dict[str, Any]:
        """What does not change, as JSON values."""

    def describe_state(self, world: World, state: State) -> dict[str, Any]:
        """What is to be drawn of a state, as JSON values."""

    def describe_goal(self, world: World) -> dict[str, Any]:
        """The goal, in words (``text``) and as the programs draw it, as JSON values."""
