"""What a measured state says of its chances: bounds that are certain, and draws of what was estimated within them.

Where replies were enumerated, an action's chance lies between its finished probability and that plus all that is
unfinished, and nothing is random. Where thoughts were drawn from the open part, the distribution of what they give is
unknown; its posterior is that of a Dirichlet process (the Bayesian bootstrap, with a prior): each drawn thought has
the weight 1, and two made-up ones are added, one right of weight 1 and one wrong of weight 1 / steps. That prior is
uniform for the success of a whole trajectory, not for that of each state (uniform at each of twenty states would put
success at (n/(n+1))^20 before a single failure was seen).

Light: torch is not needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

Row = Mapping[str, Any]
DRAWS = 1000


@dataclass(frozen=True)
class Bounds:
    """Between what a chance lies. low, high: means of the ends over the posterior; sd: of each; sure_low, sure_high:
    bounds that are certain; point: between all of them."""

    point: float
    low: float
    high: float
    sd: float
    sure_low: float
    sure_high: float


def find_bounds(chances: Row, actions: Sequence[str], steps: int) -> Bounds:
    """The chance that a reply names one of the actions. steps: length of the trajectory, for the prior."""
    finished = sum(chances["finished"][action] for action in actions)
    rest = chances["open"] + chances["lost"]
    sure = finished, min(1.0, finished + rest)
    point = estimate(chances, actions)
    if not chances["drawn"]:
        return Bounds(point, *sure, 0.0, *sure)
    given = np.sum([chances["drawn"][action] for action in actions], axis=0)
    values = np.array([*given, 1.0, 0.0])
    weights = np.array([*np.ones(len(given)), 1.0, 1 / steps])
    shares = weights / weights.sum()
    mean = shares @ values
    variance = (shares @ values**2 - mean**2) / (weights.sum() + 1)
    low = finished + chances["open"] * mean
    hidden = shares[: len(given)] @ np.array(chances["unresolved"])
    high = low + chances["lost"] + chances["open"] * hidden
    return Bounds(point, low, min(1.0, high), chances["open"] * variance**0.5, *sure)


def estimate(chances: Row, actions: Sequence[str]) -> float:
    """One number for the chance that a reply names one of the actions: their share of what was resolved."""
    right = sum(chances["finished"][action] for action in actions)
    unknown = chances["lost"] + chances["open"]
    if chances["drawn"]:
        right += chances["open"] * sum(np.mean(chances["drawn"][action]) for action in actions)
        unknown = chances["lost"] + chances["open"] * np.mean(chances["unresolved"])
    return float(right / (1 - unknown)) if unknown < 1 else 0.0


def draw_state(
    state: Row, steps: int, rng: np.random.Generator
) -> tuple[dict[str, float | np.ndarray], float | np.ndarray]:
    """Draws of the least chance of each optimal action, and of the mass that may belong to any of them.

    Single numbers where nothing is random.
    """
    chances, actions = state["chances"], list(state["optimal"])
    finished, lost = chances["finished"], chances["lost"]
    if not chances["drawn"]:
        return {action: finished[action] for action in actions}, chances["open"] + lost
    given = np.array([chances["drawn"][action] for action in actions])
    number, share = given.shape[1], 1 / len(actions)
    weights = rng.gamma([1.0] * number + [1.0, 1 / steps], size=(DRAWS, number + 2))
    weights /= weights.sum(axis=1, keepdims=True)
    seen, right = weights[:, :number], weights[:, number]
    least = {
        action: finished[action] + chances["open"] * (seen @ values + share * right)
        for action, values in zip(actions, given, strict=True)
    }
    return least, lost + chances["open"] * (seen @ np.array(chances["unresolved"]))


def count_chances(chance: float | np.ndarray, number: int) -> np.ndarray:
    """Probabilities of 0, 1, .. ``number`` successes of a chance, or on average over draws of it."""
    ks = np.arange(number + 1)[:, None]
    return binom.pmf(ks, number, np.clip(np.atleast_1d(chance), 0, 1)).mean(axis=1)


@dataclass(frozen=True)
class Counts:
    """How many of some independent episodes succeed if a prediction holds, as the probabilities of 0, 1, 2, ...

    fewest, most: at the lower and at the upper end of the prediction's bounds. seen: how many did.
    """

    fewest: np.ndarray
    most: np.ndarray
    seen: int

    @classmethod
    def predict(cls, low: float | np.ndarray, high: float | np.ndarray, seen: int, of: int):
        """From the ends of the bounds on a chance, or draws of them."""
        return cls(count_chances(low, of), count_chances(high, of), seen)

    def judge(self) -> float:
        """Two-sided p-value of what was seen, for the prediction within the bounds that suits it best."""
        below, above = self.fewest[: self.seen + 1].sum(), self.most[self.seen :].sum()
        return float(min(1.0, 2 * below, 2 * above))

    def is_inside(self, confidence: float) -> bool:
        """Whether what was seen is compatible with the prediction."""
        return self.judge() >= 1 - confidence

    def chance_outside(self, confidence: float) -> float:
        """How likely it is at most that :meth:`is_inside` denies a prediction that holds; below 1 - confidence."""
        tail = (1 - confidence) / 2
        below, above = self.fewest.cumsum(), self.most[::-1].cumsum()[::-1]
        return float(self.fewest[below < tail].sum() + self.most[above < tail].sum())

    def find_range(self, confidence: float) -> tuple[float, float]:
        """The share of episodes between whose ends it lies with this confidence if the prediction holds."""
        tail, of = (1 - confidence) / 2, len(self.most) - 1
        low = np.searchsorted(self.fewest.cumsum(), tail)
        high = np.searchsorted(self.most.cumsum(), 1 - tail)
        return float(min(low, of) / of), float(min(high, of) / of)


def pool(counts: Sequence[Counts]) -> Counts:
    """Of all episodes together, as sums of independent counts."""
    fewest = most = np.ones(1)
    for count in counts:
        fewest, most = np.convolve(fewest, count.fewest), np.convolve(most, count.most)
    return Counts(fewest, most, sum(count.seen for count in counts))


def judge_outside(counts: Sequence[Counts], confidence: float) -> float:
    """p-value of how many worlds' counts are outside, each with its own chance of that if the prediction holds."""
    outside = sum(not count.is_inside(confidence) for count in counts)
    number = np.ones(1)
    for count in counts:
        chance = count.chance_outside(confidence)
        number = np.convolve(number, [1 - chance, chance])
    return float(min(1.0, number[outside:].sum()))
