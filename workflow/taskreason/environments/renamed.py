"""A world whose things carry other names: the same instance, renamed wherever text goes in or out.

A policy that reads what stands before it does not care; one that has learnt which numbers are usual does. Names are
those of the environment (:meth:`taskreason.environments.base.Environment.rename`), so this works for each that has any.

    world = RenamedWorld(burger, {"table1": "table7", "patty1": "patty3"}, environment)
    world.actions(world.initial)[0]               # "Move robot1 from table7 to table2"
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from taskreason.environments.base import Environment, State, World


class RenamedWorld:
    """A world under other names. id: of its own, for the same world under the same names; states are the world's."""

    def __init__(self, world: World, renaming: Mapping[str, str], environment: Environment):
        self.world, self.renaming, self._environment = world, dict(renaming), environment
        named = f"{world.id} {json.dumps(self.renaming, sort_keys=True)}"
        self.id = hashlib.sha256(named.encode()).hexdigest()[:16]
        self.initial = world.initial

    def rename(self, text: str) -> str:
        """A text about the world, such as a reply, as this one has it."""
        return self._environment.rename(text, self.renaming)

    def actions(self, state: State) -> Sequence[str]:
        return [self.rename(action) for action in self.world.actions(state)]

    def step(self, state: State, action: str) -> State | None:
        # By what is possible rather than by the names turned back: an old name means nothing here.
        for possible in self.world.actions(state):
            if self.rename(possible) == action:
                return self.world.step(state, possible)
        return None

    def solved(self, state: State) -> bool:
        return self.world.solved(state)

    def observe(self, state: State) -> str:
        return self.rename(self.world.observe(state))
