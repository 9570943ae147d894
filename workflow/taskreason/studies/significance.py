"""Exact tests of two success rates, and the smallest difference that such a test could have seen.

McNemar's test is for two policies in the same worlds: it looks at the worlds that one of them alone solves. Fisher's is
for different worlds, or where it is not known which worlds were solved. Power is summed up over all outcomes that a
test rejects (none of it is a normal approximation), so it holds for ten worlds as well as for hundreds.

    find_smallest(lambda gain: mcnemar_power(100, gain, 0.01, 0.05), 1.0)     # 0.1, where chance turns 1 %
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.stats import binom, binomtest, fisher_exact, hypergeom

POWER = 0.8
"""Chance of seeing a difference from which on a test is said to see it."""
SLACK = 1 + 1e-7
"""Outcomes as likely as the one seen count as no likelier, whatever rounding makes of them (as R and scipy do)."""


def reject_by_holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects, in the order given."""
    rejected = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, place in enumerate(order):
        if p_values[place] > level / (len(order) - rank):
            break
        rejected[place] = True
    return rejected


def mcnemar(first: int, second: int) -> float:
    """Two-sided p of McNemar's exact test; first, second: worlds that this side alone solves."""
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def fisher(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """Two-sided p of Fisher's exact test of two rates."""
    table = [[hits, other_hits], [total - hits, other_total - other_hits]]
    return float(fisher_exact(table).pvalue)


def fisher_over_strata(tables: Sequence[tuple[int, int, int, int]]) -> float:
    """Two-sided p of the exact Cochran-Mantel-Haenszel test, Fisher's over several tables that share one odds ratio.

    tables: as the arguments of :func:`fisher`. Given all margins, hits of the first side are drawn from each table by
    themselves; the statistic is their sum, and outcomes that are no likelier than the one seen count against chance.
    """
    chance = np.ones(1)
    for hits, total, other_hits, other_total in tables:
        drawn = hypergeom(total + other_total, hits + other_hits, total)
        chance = np.convolve(chance, drawn.pmf(np.arange(total + 1)))
    seen = chance[sum(hits for hits, *_ in tables)]
    return float(min(1.0, chance[chance <= seen * SLACK].sum()))


def mcnemar_power(worlds: int, gain: float, churn: float, level: float) -> float:
    """Chance that McNemar's exact test rejects at a level.

    gain: difference in success rate. churn: share of worlds that chance alone turns, in either direction; a share of
    ``churn`` is lost, and one of ``churn + gain`` is won. ValueError where these are more than all worlds.
    """
    won, lost = churn + gain, churn
    if won + lost > 1:
        raise ValueError("more worlds turn than there are")
    if not won + lost:
        return 0.0
    turned = np.arange(worlds + 1)
    # The fewest wins, among so many turned worlds, that are rejected; more than all of them where none are.
    least = binom.isf(level / 2, turned, 0.5) + 1
    share = won / (won + lost)
    up, down = binom.sf(least - 1, turned, share), binom.cdf(turned - least, turned, share)
    return float(binom.pmf(turned, worlds, won + lost) @ (up + down))


def fisher_power(total: int, other_total: int, rate: float, other: float, level: float) -> float:
    """Chance that Fisher's exact test rejects at a level where these are the two rates."""
    first = binom.pmf(np.arange(total + 1), total, rate)
    second = binom.pmf(np.arange(other_total + 1), other_total, other)
    return float(first @ _find_region(total, other_total, level) @ second)


@cache
def _find_region(total: int, other_total: int, level: float) -> np.ndarray:
    """Which pairs of hits Fisher's test rejects, one row a number of hits on the first side."""
    region = np.zeros((total + 1, other_total + 1))
    for hits in range(total + other_total + 1):
        first = np.arange(max(0, hits - other_total), min(total, hits) + 1)
        chance = hypergeom.pmf(first, total + other_total, hits, total)
        ordered = np.sort(chance)
        no_likelier = np.searchsorted(ordered, chance * SLACK, side="right")
        region[first, hits - first] = np.cumsum(ordered)[no_likelier - 1] <= level
    return region


def find_smallest(power: Callable[[float], float], most: float, step: float = 0.01) -> float | None:
    """The smallest multiple of ``step``, up to ``most``, at which the power is ``POWER`` or more, or None."""
    for number in range(1, int(most / step + 1e-9) + 1):
        if power(number * step) >= POWER:
            return number * step
    return None
