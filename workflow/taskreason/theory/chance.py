"""States that are asked about before GRPO and after it, pair by pair: what signs say, and what chance alone would do.

A state whose chance of a right reply stays the same still has fewer right ones in every other sample. So a count of
states that became worse means something beside the count that no change at all would give.
"""

from collections.abc import Iterable
from functools import cache
from math import comb


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p-value of so many signs up and down, if both were equally likely; 1 without any."""
    number = better + worse
    tail = sum(comb(number, k) for k in range(min(better, worse) + 1)) / 2**number
    return min(1.0, 2 * tail)


@cache
def chance_of_worse(hits: int, before: int, after: int) -> float:
    """How likely it is that the second sample has the lower share of hits, if both are dealt from one population.

    hits: in both samples together, which hold ``before`` and ``after`` replies. The hits in the first sample are then
    hypergeometric, whatever the chance of a hit is.
    """
    ways = sum(
        comb(before, first) * comb(after, hits - first)
        for first in range(max(0, hits - after), min(before, hits) + 1)
        if (hits - first) * before < first * after
    )
    return ways / comb(before + after, hits)


def expect_worse(counts: Iterable[tuple[int, int, int]]) -> tuple[float, float]:
    """By chance alone: the share of states with a lower share of hits, and how likely it is that there is none.

    counts: hits in both samples together, replies before and after, of every state.
    """
    chances = [chance_of_worse(*map(int, count)) for count in counts]
    none = 1.0
    for chance in chances:
        none *= 1 - chance
    return sum(chances) / max(1, len(chances)), none
