"""States that are asked about before GRPO and after it, pair by pair: what signs say, and what chance alone would do.

A state whose chance of a right reply stays the same still has fewer right ones in every other sample. So a count of
states that became worse means something only against the count that no change at all would give.
"""

from collections.abc import Iterable
from functools import cache
from math import prod

from scipy.stats import binomtest, hypergeom


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p-value of these numbers of signs up and down, if both were equally likely; 1 without any."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


@cache
def chance_of_worse(hits: int, before: int, after: int) -> float:
    """How likely it is that the second sample has the lower share of hits, if both are dealt from one population.

    hits: in both samples together, which hold ``before`` and ``after`` replies. The hits in the first sample are then
    hypergeometric, whatever the chance of a hit is; the share falls where it holds more than its part of them.
    """
    return float(hypergeom.sf(hits * before // (before + after), before + after, hits, before))


def expect_worse(counts: Iterable[tuple[int, int, int]]) -> tuple[float, float]:
    """By chance alone: the share of states with a lower share of hits, and how likely it is that there is none.

    counts: hits in both samples together, replies before and after, of every state.
    """
    chances = [chance_of_worse(*map(int, count)) for count in counts]
    return sum(chances) / max(1, len(chances)), prod(1 - chance for chance in chances)
