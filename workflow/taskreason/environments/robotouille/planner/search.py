"""The exact planner: shortest plans and the set of all optimal actions in any state of a kitchen.

A plan is optimal for the rules that the simulator runs, timers included. Distances are remembered per kitchen, because
one episode asks about many neighbouring states.
"""

from ..simulator.domain import Action
from ..simulator.engine import Kitchen, State
from ..simulator.goal_stack import compile_stacks
from .dish_search import DishSearch
from .dishes import compile_dishes
from .effort import Effort
from .tower_search import TowerSearch

NODE_LIMIT = 2_000_000
"""Expanded states after which a search gives up; the tasks need a few thousand at most."""
QUICK_LIMIT = 200_000
"""The same where nobody should wait for longer than half a minute."""
BRIEF_LIMIT = 50_000
"""The same where there is much to be looked up, each within seconds."""


class Planner:
    """Shortest plans in one kitchen. Distances found are kept for the life of the object.

    detours: as :class:`LowerBound` has it; without them, plans with cooking or cutting take far longer to find, and
    several dishes are not told apart. seconds: after which a search gives up; None for as long as the states last.
    """

    def __init__(
        self,
        kitchen: Kitchen,
        node_limit: int = NODE_LIMIT,
        detours: bool = True,
        seconds: float | None = None,
    ):
        self.kitchen = kitchen
        effort = Effort(kitchen.layout.source, node_limit, seconds)
        # One tower has a search of its own: which of several shortest plans it finds is part of published results.
        several = detours and len(compile_stacks(kitchen.goal)) != 1
        dishes = compile_dishes(kitchen.goal) if several else None
        self._search = (
            DishSearch(kitchen, dishes, effort) if dishes else TowerSearch(kitchen, effort, detours)
        )

    def distance(self, state: State) -> int | None:
        """Length in steps of a shortest plan from ``state``; None when the goal can't be reached."""
        return self._search.distance(state)

    def within(self, state: State, steps: int) -> bool:
        """Whether the goal can be reached from ``state`` in at most ``steps`` steps."""
        return self._search.within(state, steps)

    def optimal_actions(self, state: State) -> tuple[Action, ...]:
        """Every valid action that starts a shortest plan from ``state`` (empty at the goal or when unsolvable)."""
        steps = self.distance(state)
        if not steps:
            return ()
        step, actions = self.kitchen.step, self.kitchen.valid_actions(state)
        return tuple(a for a in actions if self.within(step(state, a), steps - 1))

    def plan(self) -> list[Action] | None:
        """One shortest plan from the start; None when the goal can't be reached."""
        return self._search.plan(self.kitchen.initial)
