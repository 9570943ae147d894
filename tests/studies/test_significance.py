"""Exact tests and their power, against values by hand and against every outcome counted one by one."""

from math import comb

import pytest
from scipy.stats import fisher_exact

from taskreason.studies.significance import (
    find_smallest,
    fisher,
    fisher_over_strata,
    fisher_power,
    mcnemar,
    mcnemar_power,
    reject_by_holm,
)


def test_holms_procedure_stops_at_the_first_that_it_keeps():
    # By hand: 0.01 <= 0.05/4 and 0.015 <= 0.05/3, but 0.03 > 0.05/2, so 0.04 is kept, too.
    assert reject_by_holm([0.03, 0.01, 0.04, 0.015], 0.05) == [False, True, False, True]
    assert reject_by_holm([0.02] * 3, 0.05) == [False] * 3


def test_mcnemars_test_looks_at_worlds_that_one_side_alone_solves():
    assert mcnemar(0, 0) == mcnemar(4, 4) == 1
    assert mcnemar(0, 6) == mcnemar(6, 0) == pytest.approx(2 / 2**6)
    assert mcnemar(1, 8) == pytest.approx(2 * (1 + 9) / 2**9)


def test_fishers_test_by_hand():
    """Of 20 episodes 3 succeed, all of one side: of C(20, 3) ways to choose them, C(10, 3) are each side's own."""
    assert fisher(3, 10, 0, 10) == pytest.approx(2 * comb(10, 3) / comb(20, 3))


def test_strata_are_drawn_by_themselves():
    """Two tables of two episodes a side: all margins are 2 of 4, so each table gives 0, 1 or 2 hits as 1 : 4 : 1."""
    one = (2, 2, 0, 2)
    assert fisher_over_strata([one]) == pytest.approx(fisher(*one)) == pytest.approx(2 / 6)
    assert fisher_over_strata([one, one]) == pytest.approx(2 / 36)
    # Sum 3 (and 1): 4 + 4 ways out of 36 each, and the likelier sum 2 does not count.
    assert fisher_over_strata([one, (1, 2, 1, 2)]) == pytest.approx((8 + 8 + 2) / 36)
    assert fisher_over_strata([(1, 2, 1, 2)] * 2) == pytest.approx(1)


def count_mcnemar(n: int, gain: float, churn: float, level: float) -> float:
    """The chance of all outcomes that are rejected, one after the other."""
    found = 0.0
    for up in range(n + 1):
        for down in range(n + 1 - up):
            turned = up + down
            tail = sum(comb(turned, k) for k in range(max(up, down), turned + 1)) / 2**turned
            if min(1, 2 * tail) <= level:
                same = (1 - gain - 2 * churn) ** (n - turned)
                ways = comb(n, up) * comb(n - up, down)
                found += ways * (gain + churn) ** up * churn**down * same
    return found


@pytest.mark.parametrize("level", [0.05, 0.05 / 24, 2 / 2**7])
@pytest.mark.parametrize(("gain", "churn"), [(0.5, 0.0), (0.3, 0.1), (0.0, 0.2), (0.6, 0.2)])
def test_mcnemars_power_is_the_chance_of_what_is_rejected(gain, churn, level):
    expected = count_mcnemar(14, gain, churn, level)
    assert mcnemar_power(14, gain, churn, level) == pytest.approx(expected, abs=1e-12)


def test_more_worlds_than_all_cannot_turn():
    assert mcnemar_power(10, 0.0, 0.0, 0.05) == 0
    with pytest.raises(ValueError, match="more worlds turn"):
        mcnemar_power(10, 0.6, 0.3, 0.05)


@pytest.mark.parametrize(("rate", "other"), [(0.0, 0.6), (0.2, 0.9), (0.5, 0.5), (1.0, 0.3)])
def test_fishers_power_is_the_chance_of_what_is_rejected(rate, other):
    def draw(n, k, p):
        return comb(n, k) * p**k * (1 - p) ** (n - k)

    expected = sum(
        draw(7, a, rate) * draw(9, b, other)
        for a in range(8)
        for b in range(10)
        if fisher_exact([[a, b], [7 - a, 9 - b]]).pvalue <= 0.05
    )
    assert fisher_power(7, 9, rate, other, 0.05) == pytest.approx(expected, abs=1e-12)


def test_the_smallest_difference_is_the_first_that_is_seen_often_enough():
    """Without chance turns: six worlds of one side alone are needed for 5 %, so 8 in 100 are seen, 7 are not."""

    def chance_of_six(gain):
        return 1 - sum(comb(100, k) * gain**k * (1 - gain) ** (100 - k) for k in range(6))

    assert chance_of_six(0.07) < 0.8 <= chance_of_six(0.08)
    assert find_smallest(lambda gain: mcnemar_power(100, gain, 0, 0.05), 1) == pytest.approx(0.08)
    assert find_smallest(lambda gain: fisher_power(10, 10, 0.6, 0.6 + gain, 0.05), 0.4) is None
