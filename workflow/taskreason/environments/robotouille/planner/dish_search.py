"""Shortest plans for goals of several dishes: A* in which equal things are interchangeable and idle orders tried once.

One state of each class of equals is searched (`planner.symmetry`). A move is followed by waiting or by doing something,
never by another move, and waiting never by a move: on any shortest plan moves and waiting that follow each other can be
put in the order of one move and then waiting, which leads to the same state. What a search proves about the states that
it meets is kept, because one episode asks about many neighbouring ones.
"""

from heapq import heappop, heappush

from ..simulator.domain import Action, Op
from ..simulator.engine import Kitchen, State
from .dish_bound import DishBound
from .dishes import Dishes
from .effort import Effort
from .scene import NEVER
from .symmetry import Symmetry


class DishSearch:
    """Distances and plans in one kitchen whose goal is ``dishes``."""

    def __init__(self, kitchen: Kitchen, dishes: Dishes, effort: Effort):
        self.kitchen, self.effort = kitchen, effort
        self._bound = DishBound(kitchen, dishes)
        self._name = Symmetry(kitchen).name
        self._exact: dict[tuple, int] = {}
        self._lower: dict[tuple, int] = {}

    def distance(self, state: State) -> int | None:
        """Length in steps of a shortest plan from ``state``; None when the goal can't be reached."""
        name = self._name(state)
        if name not in self._exact:
            self._search(state, name, NEVER - 1)
        return self._exact.get(name)

    def within(self, state: State, steps: int) -> bool:
        """Whether the goal can be reached from ``state`` in at most ``steps`` steps."""
        name = self._name(state)
        if name not in self._exact and self._estimate(state, name) <= steps:
            self._search(state, name, steps)
        return self._exact.get(name, NEVER) <= steps

    def plan(self, state: State) -> list[Action] | None:
        """Of the shortest plans the one whose actions come first in the order of the valid ones; None if there is none.

        It depends on the rules alone, not on how the search comes by it.
        """
        steps = self.distance(state)
        if steps is None:
            return None
        path = []
        for left in range(steps - 1, -1, -1):
            options = ((self.kitchen.step(state, a), a) for a in self.kitchen.valid_actions(state))
            state, action = next(option for option in options if self.within(option[0], left))
            path.append(action)
        return path

    def _estimate(self, state: State, name: tuple) -> int:
        """The distance where it is known, or a lower bound on it."""
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        return max(self._lower.get(name, 0), self._bound.steps(state))

    def _search(self, start: State, name: tuple, limit: int) -> None:
        """Look for a shortest plan of at most ``limit`` steps, and keep what that proves.

        A node is a state with whether the robot is tied: whether it has moved or waited, so must not move next.
        """
        kitchen, estimate, exact = self.kitchen, self._estimate, self._exact
        valid_actions, step, spend = kitchen.valid_actions, kitchen.step, self.effort.spend
        node = (name, False)
        cost, parent = {node: 0}, {}
        first = estimate(start, name)
        # Of equal estimates the one nearest to the goal comes first, and of these the latest.
        frontier = [(first, first, 0, start, node)] if first <= limit else []
        count = 0
        found, proven = None, limit + 1
        self.effort.begin()
        while frontier:
            total, rest, _, state, node = heappop(frontier)
            g, (name, tied) = total - rest, node
            if cost[node] < g or (tied and cost.get((name, False), NEVER) <= g):
                continue
            if name in exact or kitchen.is_goal(state):
                left = exact.get(name, 0)
                if g + left > total:
                    heappush(frontier, (g + left, left, 0, state, node))
                    continue
                found, proven = (node, left), total
                break
            spend(total)
            for action in valid_actions(state):
                idle = action.op is Op.move or action.op is Op.wait
                if tied and action.op is Op.move:
                    continue
                after = step(state, action)
                name = self._name(after)
                if g + 1 >= min(cost.get((name, False), NEVER), cost.get((name, idle), NEVER)):
                    continue
                # No state is nearer to the goal than the last one, less a step, whatever its own bound says.
                rest = max(estimate(after, name), total - g - 1)
                if g + 1 + rest <= limit:
                    node_after = (name, idle)
                    cost[node_after] = g + 1
                    parent[node_after] = node
                    count -= 1
                    heappush(frontier, (g + 1 + rest, rest, count, after, node_after))
        self._keep(cost, parent, found, proven)

    def _keep(self, cost: dict, parent: dict, found: tuple | None, proven: int) -> None:
        """That no plan from the start through a state met is shorter than proven, and the exact rest along the plan."""
        for (name, _), g in cost.items():
            self._lower[name] = max(proven - g, self._lower.get(name, 0))
        if found:
            node, steps = found
            self._exact[node[0]] = steps
            while node in parent:
                node, steps = parent[node], steps + 1
                self._exact[node[0]] = steps
