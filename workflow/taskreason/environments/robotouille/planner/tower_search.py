"""Shortest plans for goals of one tower, and for any other goal of which little is known.

A* over the engine's own transitions with an admissible, nearly exact heuristic (`planner.lower_bound`).
"""

from heapq import heappop, heappush

from ..simulator.domain import Action
from ..simulator.engine import Kitchen, State
from .effort import Effort
from .lower_bound import LowerBound


class TowerSearch:
    """Distances and plans in one kitchen. detours: as :class:`LowerBound` has it."""

    def __init__(self, kitchen: Kitchen, effort: Effort, detours: bool):
        self.kitchen, self.effort = kitchen, effort
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

    def plan(self, state: State) -> list[Action] | None:
        """One shortest plan from ``state``; None when the goal can't be reached."""
        return self._search(state, None)

    def _estimate(self, state: State) -> int:
        return max(self._lower.get(state, 0), self._bound.steps(state))

    def _search(self, start: State, limit: int | None) -> list[Action] | None:
        """A shortest plan of at most ``limit`` steps, or None; records what the search proves."""
        kitchen = self.kitchen
        first = self._estimate(start)
        frontier = [(first, first, 0, start)]
        cost = {start: 0}
        parent: dict[State, tuple[State, Action]] = {}
        count = 0
        self.effort.begin()
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
            self.effort.spend(estimate)
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
