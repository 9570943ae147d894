"""Bounds on chances and judgements of predictions, against brute force and numbers worked out by hand."""

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from taskreason.theory.analysis import (
    bound,
    draw_world,
    follow_horizons,
    list_states,
    predict_along,
    predict_worlds,
    tell_apart,
)
from taskreason.theory.posterior import Counts, draw_state, find_bounds, judge_outside, pool


def list_all(go, lost=0.0, **others):
    return {
        "method": "enumerated",
        "finished": {"go": go} | others,
        "open": 0.0,
        "lost": lost,
        "drawn": {},
        "unresolved": [],
    }


def make_row(chances, rollouts, optimal=None):
    """A world of two steps."""
    states = [
        {"depth": 0, "expert": "go", "optimal": {"go": 1}, "chances": chances[0]},
        {"depth": 1, "expert": "go", "optimal": optimal or {"go": None}, "chances": chances[1]},
    ]
    world = {"layout_hash": "k", "optimal_steps": 2, "states": states, "off_path": []}
    return world | {"rollouts": rollouts}


def test_two_steps_by_hand():
    row = make_row([list_all(0.5, lost=0.1), list_all(0.75)], {"0": 60, "2": 40})
    table = predict_worlds([row]).iloc[0]
    assert table.predicted_low == pytest.approx(0.375) and table.predicted_high == pytest.approx(
        0.45
    )
    # Of what is known, 0.5 of 0.9 is right.
    assert table.predicted == pytest.approx(0.5 / 0.9 * 0.75)
    assert table.predicted_sd == 0 and table.observed == 0.4 and table.unique and table.inside
    along = predict_along([row])
    assert along.left.tolist() == [2, 1] and along.success_low.tolist() == pytest.approx(
        [0.375, 0.75]
    )
    first = follow_horizons([row]).iloc[0]
    assert first["product"] == pytest.approx(0.5 / 0.9) and first.observed == 0.4
    assert (first.predicted_low, first.predicted_high) == pytest.approx((0.5, 0.6))


def test_what_is_unknown_goes_to_the_best_action_in_the_upper_bound_and_to_none_in_the_lower():
    two = {"depth": 0, "expert": "go", "optimal": {"go": 1, "run": None}}
    last = {"depth": 1, "expert": "go", "optimal": {"go": None}, "chances": list_all(0.5)}
    row = {"optimal_steps": 2, "states": [two | {"chances": list_all(0.4, 0.2, run=0.1)}, last]}
    low, high = bound(row, draw_world(row, np.random.default_rng(0)))
    assert low == pytest.approx(0.4 * 0.5 + 0.1) and high == pytest.approx(0.4 * 0.5 + 0.1 + 0.2)
    # A state that was not asked about leads to the goal never or always.
    unasked = make_row([list_all(1.0), list_all(0.5)], {}, {"go": -1})
    assert bound(unasked, draw_world(unasked, np.random.default_rng(0))) == (0, 0.5)


def test_a_wrong_recursion_is_rejected_and_a_right_one_is_not():
    chances = [list_all(0.5, 0.002), list_all(0.5, 0.002)]

    def judge(right, worlds=1):
        row = make_row(chances, {"0": 100 - right, "2": right})
        table = predict_worlds([row] * worlds)
        return (
            pool(table["counts"]).judge(),
            table.inside.all(),
            judge_outside(table["counts"], 0.95),
        )

    p_value, inside, _ = judge(25)
    assert p_value > 0.8 and inside
    for right in (2, 50):
        p_value, inside, outside = judge(right)
        assert p_value < 1e-4 and not inside and outside <= 0.05
    # What a single world does not tell, thirty of them do.
    assert judge(29)[0] > 0.3 and judge(29)[1]
    assert judge(29, worlds=30)[0] < 1e-4


def test_pooled_counts_are_enumerated():
    chances, of = (0.2, 0.7), (2, 3)
    counts = [Counts.predict(c, c, 0, n) for c, n in zip(chances, of, strict=True)]
    exact = np.zeros(6)
    for a, b in product(range(3), range(4)):
        exact[a + b] += np.prod(
            [
                comb(n, k) * c**k * (1 - c) ** (n - k)
                for n, k, c in zip(of, (a, b), chances, strict=True)
            ]
        )
    assert pool(counts).fewest == pytest.approx(exact) and pool(counts).most == pytest.approx(exact)
    for seen in range(21):
        tails = [binomtest(seen, 20, 0.3, side).pvalue for side in ("less", "greater")]
        assert Counts.predict(0.3, 0.3, seen, 20).judge() == pytest.approx(min(1, 2 * min(tails)))
        # Bounds on a chance leave the hypothesis that suits the count best.
        tails = [
            binomtest(seen, 20, 0.25, "less").pvalue,
            binomtest(seen, 20, 0.4, "greater").pvalue,
        ]
        assert Counts.predict(0.25, 0.4, seen, 20).judge() == pytest.approx(min(1, 2 * min(tails)))


def test_predictions_that_hold_are_rejected_as_rarely_as_the_level_says():
    rng = np.random.default_rng(1)
    chances = rng.uniform(0.3, 1, size=15)
    p_values, outside = [], []
    for _ in range(300):
        counts = [Counts.predict(c, c, int(rng.binomial(24, c)), 24) for c in chances]
        p_values.append(pool(counts).judge())
        outside.append(judge_outside(counts, 0.95))
    assert np.mean(np.array(p_values) < 0.05) < 0.08 and np.mean(np.array(p_values) < 0.5) > 0.35
    assert np.mean(np.array(outside) < 0.05) < 0.08


def make_drawn(go, open_=0.5):
    chances = list_all(0.3) | {"method": "drawn", "open": open_, "lost": 0.01}
    return chances | {"drawn": {"go": list(go)}, "unresolved": [0.02] * len(go)}


def test_draws_of_an_estimated_chance_have_its_moments():
    """By hand: weights of 1 for four thoughts and a right one, of 1/2 for a wrong one, out of 5.5."""
    known = make_drawn([1.0, 0.5, 0.0, 0.5])
    bounds = find_bounds(known, ["go"], steps=2)
    mean = (1 + 0.5 + 0.5 + 1) / 5.5
    second = (1 + 0.25 + 0.25 + 1) / 5.5
    sd = 0.5 * ((second - mean**2) / 6.5) ** 0.5
    assert bounds.low == pytest.approx(0.3 + 0.5 * mean) and bounds.sd == pytest.approx(sd)
    assert bounds.high == pytest.approx(bounds.low + 0.01 + 0.5 * 0.02 * 4 / 5.5)
    assert (bounds.sure_low, bounds.sure_high) == pytest.approx((0.3, 0.81))
    assert bounds.point == pytest.approx((0.3 + 0.5 * 0.5) / 0.98)
    state = {"optimal": {"go": None}, "chances": known}
    least, spare = draw_state(state, 2, np.random.default_rng(0))
    assert least["go"].mean() == pytest.approx(bounds.low, abs=4 * sd / 1000**0.5)
    assert least["go"].std() == pytest.approx(sd, rel=0.1)
    assert 0.01 < spare.mean() < 0.02


def test_the_plain_estimate_belongs_to_the_bounds():
    """Of two states with a chance of about 0.2 each, few thoughts, the prior alone would say 0.3 and more."""
    chances = [make_drawn([0.2, 0.2], open_=0.99) | {"finished": {"go": 0.0}} for _ in range(2)]
    assert find_bounds(chances[0], ["go"], 2).low > 0.3
    row = make_row(chances, {"0": 99, "2": 4})
    world, along = predict_worlds([row]).iloc[0], predict_along([row])
    assert world.predicted == pytest.approx((0.99 * 0.2 / (1 - 0.01 - 0.99 * 0.02)) ** 2)
    assert world.predicted_low == world.predicted < 0.05 < world.predicted_high
    assert (along.success_low <= along.success).all()
    assert (follow_horizons([row]).predicted_low <= follow_horizons([row]).predicted).all()


def test_states_are_told_apart_only_where_bounds_and_draws_allow_it():
    def compare(before, after, tests=1):
        tables = [
            list_states([make_row([chances, list_all(0.9)], {})]) for chances in (before, after)
        ]
        both = tables[0].merge(tables[1], on=["layout_hash", "depth"], suffixes=["_sft", "_grpo"])
        up, down = tell_apart(both, "expert", "sft", "grpo", 0.95, tests)
        return up[0], down[0]

    assert compare(list_all(0.5, 0.01), list_all(0.52)) == (True, False)
    assert compare(list_all(0.5, 0.03), list_all(0.52)) == (False, False)
    assert compare(list_all(0.5), list_all(0.4, 0.05)) == (False, True)
    same = [1.0, 0.5, 0.0, 0.5]
    assert compare(make_drawn(same), make_drawn(same)) == (False, False)
    assert compare(make_drawn([0.0] * 16), make_drawn([1.0] * 16)) == (True, False)
    # Of many comparisons not one may err, so that more is asked of each.
    assert compare(make_drawn([0.2, 0.3] * 8), make_drawn([0.6, 0.5] * 8)) == (True, False)
    assert compare(make_drawn([0.2, 0.3] * 8), make_drawn([0.6, 0.5] * 8), 10**6) == (False, False)
