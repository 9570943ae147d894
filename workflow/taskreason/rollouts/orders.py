"""What intervals say of an order: which of two policies, or of several, does better.

An order is held where the interval of the difference lies above zero, reversed where it lies below, and open elsewhere.
Input: rates or differences with the ends of their intervals (:mod:`taskreason.rollouts.metrics`). Departure from the
paper, which calls an order by its points.
"""

from collections.abc import Sequence
from math import hypot

Rate = tuple[float, float, float]
"""A rate and the ends of its interval."""
HELD, REVERSED, OPEN = "held", "reversed", "open"
"""What can be said of an order."""


def subtract_rates(rate: Rate, other: Rate) -> Rate:
    """Difference of two rates that are not paired, with an interval made of theirs (Newcombe, 1998, method 10)."""
    difference = rate[0] - other[0]
    below = hypot(rate[0] - rate[1], other[2] - other[0])
    above = hypot(rate[2] - rate[0], other[0] - other[1])
    return difference, max(-1.0, difference - below), min(1.0, difference + above)


def judge_order(low: float, high: float) -> str:
    """What the interval of a difference says of an order."""
    return HELD if low > 0 else REVERSED if high < 0 else OPEN


def judge_chain(links: Sequence[str]) -> str:
    """An order of several policies holds where each link does, and is reversed where one is."""
    if REVERSED in links:
        return REVERSED
    return HELD if set(links) == {HELD} else OPEN


def compare_rates(rates: Sequence[Rate], others: Sequence[Rate]) -> list[bool]:
    """Where the first of two rates that are not paired is held to be higher."""
    pairs = zip(rates, others, strict=True)
    return [judge_order(*subtract_rates(*pair)[1:]) == HELD for pair in pairs]
