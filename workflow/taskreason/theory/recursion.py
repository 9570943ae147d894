"""Theorem 3.2: from the success of single decisions to the success of whole episodes in the fewest steps.

With deterministic transitions, P(s) = E_a[r(s, a) P(s')], where r is 1 for the actions that start a shortest plan: a
product along the expert's trajectory where each state has one such action, a sum over the graph of optimal actions
where several are equally good. P(s) = 1 at the goal. Both forms are here, for probabilities and for arrays of draws.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from taskreason.environments.base import State, Teacher, World

Node = TypeVar("Node", bound=Hashable)
Chance = float | np.ndarray


class OptimalPaths:
    """The states along shortest plans of one world, found as they are asked for."""

    def __init__(self, world: World, teacher: Teacher):
        self.world, self.teacher = world, teacher
        self._next: dict[State, dict[str, State]] = {}

    def successors(self, state: State) -> dict[str, State]:
        """Each optimal action and the state it leads to; none at the goal, nor where it can't be reached."""
        if state not in self._next:
            self._next[state] = {
                action: self.world.step(state, action) for action in self.teacher.optimal(state)
            }
        return self._next[state]


def predict_success(
    start: Node,
    successors: Callable[[Node], Mapping[str, Node]],
    chances: Callable[[Node], Mapping[str, Chance]],
) -> Chance:
    """P(start): the probability that a policy reaches the goal in as few steps as possible.

    successors: the optimal actions of a state and where they lead; a state without any is the goal. chances: the
    policy's probability of each action; actions that are left out have probability 0.
    """
    known: dict[Node, Chance] = {}

    def solve(node: Node) -> Chance:
        if node not in known:
            following = successors(node)
            given = chances(node) if following else {}
            terms = [
                given[text] * solve(after) for text, after in following.items() if text in given
            ]
            known[node] = sum(terms, 0.0) if following else 1.0
        return known[node]

    return solve(start)


def multiply_along(chances: Sequence[Chance]) -> list[Chance]:
    """For each horizon k = 1, 2, ... the probability of the first k decisions: the recursion along one trajectory.

    Corollary 3.2's sub-tasks are those that end after k steps of the expert's trajectory.
    """
    products: list[Chance] = []
    for chance in chances:
        products.append(chance * products[-1] if products else chance)
    return products
