"""The exact planner: shortest plans and the set of all optimal actions in any state of a kitchen.

A* over the engine's own transitions with an admissible, nearly exact heuristic (`planner.lower_bound`),
so a plan is optimal for the rules that the simulator runs, timers included. Distances are remembered per
kitchen, because one episode asks about many neighbouring states.
"""

from heapq import heappop, heappush
from time import monotonic

from taskreason.durability.errors import UserError
from taskreason.durability.progress import is_due, say

from ..simulator.domain import Action
from ..simulator.engine import Kitchen, State
from .lower_bound import LowerBound

NODE_LIMIT = 2_000_000
"""Expanded states after which a search gives up; the tasks need a few thousand at most."""
WATCHED = 1024
"""States between two looks at the clock."""
QUICK_LIMIT = 200_000
"""The same where nobody should wait for more than seconds."""


class Planner:
    """Shortest plans in one kitchen. Distances found are kept for the life of the object.

    detours: as :class:`LowerBound` has it; without them, plans with cooking or cutting take far longer to find.
    seconds: after which a search gives up; None for as long as the states last.
    """

    def __init__(
        self,
        kitchen: Kitchen,
        node_limit: int = NODE_LIMIT,
        detours: bool = True,
        seconds: float | None = None,
    ):
        self.kitchen, self.node_limit, self.seconds = kitchen, node_limit, seconds
        self._bound = LowerBound(kitchen, detours)
        self._exact: dict[State, int] = {}
        self._lower: dict[State, int] = {}

    def distance(self, state: State) -> int | None:
        """Length in steps of a shortest plan from ``state``; None when the goal can't be reached."""
        if (known := self._exact.get(state)) is not None:
            return known
        path = self._search(state, None)
        return None if path is None else len(path)

    def within(self, state: State, steps: int) -> bool:
        """Whether the goal can be reached from ``state`` in at most ``steps`` steps."""
        if (known := self._exact.get(state)) is not None:
            return known <= steps
        return self._estimate(state) <= steps and self._search(state, steps) is not None

    def optimal_actions(self, state: State) -> tuple[Action, ...]:
        """Every valid action that starts a shortest plan from ``state`` (empty at the goal or when unsolvable)."""
        steps = self.distance(state)
        if not steps:
            return ()
        step, actions = self.kitchen.step, self.kitchen.valid_actions(state)
        return tuple(a for a in actions if self.within(step(state, a), steps - 1))

    def plan(self) -> list[Action] | None:
        """One shortest plan from the start; None when the goal can't be reached."""
        return self._search(self.kitchen.initial, None)

    def _estimate(self, state: State) -> int:
        return max(self._lower.get(state, 0), self._bound.steps(state))

    def _search(self, start: State, limit: int | None) -> list[Action] | None:
        """A shortest plan of at most ``limit`` steps, or None; records what the search proves."""
        kitchen = self.kitchen
        first = self._estimate(start)
        frontier = [(first, first, 0, start)]
        cost = {start: 0}
        parent: dict[State, tuple[State, Action]] = {}
        count = expanded = 0
        started = monotonic()
        while frontier:
            estimate, _, _, state = heappop(frontier)
            if limit is not None and estimate > limit:
                break
            g = cost[state]
            rest = self._exact.get(state)
            if rest is None and estimate > g + self._estimate(state):
                continue
            if rest is None and kitchen.is_goal(state):
                rest = 0
            if rest is not None:
                if g + rest > estimate:  # an exact value above the estimate it was queued with
                    heappush(frontier, (g + rest, rest, count, state))
                    count += 1
                    continue
                return self._finish(start, state, rest, parent)
            expanded += 1
            if expanded > self.node_limit:
                raise UserError(
                    f"{kitchen.layout.source}: the planner gave up after {self.node_limit:,} states; "
                    "use a smaller kitchen or a goal made of stacked items."
                )
            if expanded % WATCHED == 0:
                self._watch(expanded, estimate, monotonic() - started)
            for action in kitchen.valid_actions(state):
                after = kitchen.step(state, action)
                if g + 1 < cost.get(after, 1 << 30):
                    cost[after] = g + 1
                    parent[after] = (state, action)
                    h = self._exact.get(after)
                    if h is None:
                        h = self._estimate(after)
                    if limit is None or g + 1 + h <= limit:
                        count += 1
                        heappush(frontier, (g + 1 + h, h, count, after))
        if limit is not None:
            self._lower[start] = max(limit + 1, self._lower.get(start, 0))
        return None

    def _watch(self, expanded: int, steps: int, seconds: float) -> None:
        """Say how far a search is, where a line is due; UserError where its time is over."""
        source = self.kitchen.layout.source
        if self.seconds is not None and seconds >= self.seconds:
            raise UserError(
                f"{source}: no plan was found in {self.seconds:g} s, but any takes {steps} steps or more; give the "
                "search more time (--seconds)."
            )
        if is_due():
            say(f"{source}: {expanded:,} states searched, a plan takes {steps} steps or more")

    def _finish(self, start: State, end: State, rest: int, parent) -> list[Action]:
        """The plan to ``end`` and on to the goal, after recording the exact distances along it."""
        path, state, steps = [], end, rest
        self._exact[end] = rest
        while state != start:
            state, action = parent[state]
            steps += 1
            self._exact[state] = steps
            path.append(action)
        path.reverse()
        state = end
        for left in range(rest - 1, -1, -1):
            steps = ((self.kitchen.step(state, a), a) for a in self.kitchen.valid_actions(state))
            state, action = next(step for step in steps if self.within(step[0], left))
            path.append(action)
        return path
