"""The recursions that the paper's theorems are about.

Theorem 3.2, from the success of single decisions to that of whole episodes in the fewest steps: with deterministic
transitions, P(s) = E_a[r(s, a) P(s')], where r is 1 for the actions that start a shortest plan, and P is 1 at the
goal. That is a product along the expert's trajectory where each state has one such action, a sum over the graph of
optimal actions where several are equally good. Both forms are here, for probabilities and for arrays of draws.

Corollary 3.1, what GRPO should make of a success rate by Mroueh's (2025) recursion for rewards of 0 and 1: one exact
step of GRPO with whitened advantages and a KL penalty of weight beta to the reference turns a prompt's success
probability p into sigmoid(logit p_ref + 1 / (beta sqrt(p (1 - p) + epsilon))). Repeated, it ends in a fixed point
above p_ref: success is amplified. For p_ref = .7 that is .859 at beta 3 and .746 at beta 10.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from taskreason.environments.base import State, Teacher, World

Node = TypeVar("Node", bound=Hashable)
Chance = float | np.ndarray
EPSILON = 1e-4
"""Keeps the whitening finite where all replies of a group earn the same."""


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
    spare: Callable[[Node], Chance] | None = None,
) -> Chance:
    """P(start): the probability that a policy reaches the goal in as few steps as possible.

    successors: the optimal actions of a state and where they lead; a state without any is the goal. chances: the
    policy's probability of each action; actions that are left out have probability 0. spare: probability of replies of
    which it is not known what they name; all of it goes to the best of the optimal actions, so that the result is an
    upper bound.
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
            if spare and following:
                best = reduce(np.maximum, map(solve, following.values()))
                known[node] = known[node] + spare(node) * best
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


def amplify(p: np.ndarray, p_ref: np.ndarray, beta: float, epsilon: float = EPSILON) -> np.ndarray:
    """One step of GRPO's recursion, on arrays of probabilities; beta > 0."""
    if beta <= 0:
        raise ValueError(
            "without a KL penalty (beta 0) the recursion has no reference to start from"
        )
    p, p_ref = np.asarray(p, dtype=float), np.asarray(p_ref, dtype=float)
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.log(p_ref) - np.log1p(-p_ref) + 1 / (beta * np.sqrt(p * (1 - p) + epsilon))
        return 1 / (1 + np.exp(-odds))


def find_stationary(p_ref: float, beta: float, group: int) -> float:
    """Where the loss that is trained with (TRL's) stands still, for one decision of which p is the chance.

    It differs from :func:`find_fixed_point` in two ways. Rewards are whitened within a group of ``group`` replies, by
    its own deviation in place of sqrt(p (1 - p)), and a group of equal rewards has no gradient. And the gradient of the
    KL estimate exp(d) - d - 1, with d = log p_ref - log p of each sampled token, is that of the divergence of the
    reference from the policy, (p - p_ref) / (p (1 - p)) here, where the theory has that of the policy from the
    reference. The gradients cancel at p = p_ref + pull(p) / beta.
    """
    hits = np.arange(group + 1)
    spread = hits * (group - hits) / group**2
    deviation = np.sqrt(hits * (group - hits) / (group * (group - 1)))

    def miss(p: float) -> float:
        pull = binom.pmf(hits, group, p) @ (spread / (deviation + EPSILON))
        return p - p_ref - pull / beta

    return float(brentq(miss, p_ref, 1.0))


def find_fixed_point(p_ref: np.ndarray, beta: float) -> np.ndarray:
    """Where GRPO's recursion from p = p_ref has got to after a thousand steps."""
    p = p_ref
    for _ in range(1000):
        p = amplify(p, p_ref, beta)
    return p
