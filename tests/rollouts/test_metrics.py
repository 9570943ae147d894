"""The metrics against closed forms, brute force and the published tables; refusals of bad files."""

import json
import math
from itertools import product
from statistics import NormalDist

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from synthetic_results import CONFIG, make_episode, write_lines
from taskreason.durability.errors import UserError
from taskreason.report.published import load_published
from taskreason.rollouts.metrics import (
    bootstrap_interval,
    check_asat_identity,
    compare_pairs,
    paired_gain,
    paired_saving,
    read_episodes,
    summarise,
    wilson_interval,
)

WORLD = {"layout_hash": "a", "optimal_steps": 8}


def make_frame(outcomes: list[tuple[bool, int]], **changes) -> pd.DataFrame:
    """Episodes of one world each, from (success, steps)."""
    worlds = ({"layout_hash": str(n), "optimal_steps": 8} for n in range(len(outcomes)))
    rows = [
        make_episode(world, "burger", success, steps, **{"cut": 1} | changes)
        for world, (success, steps) in zip(worlds, outcomes, strict=True)
    ]
    return pd.DataFrame(rows)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_solve_the_score_equation(counts):
    successes, n = counts
    z = NormalDist().inv_cdf(0.975)
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert (successes / n - end) ** 2 == pytest.approx(
                z * z * end * (1 - end) / n, rel=1e-6
            )


def test_wilson_agrees_with_an_independent_implementation():
    for n, confidence in product((1, 10, 100), (0.9, 0.95)):
        for successes in range(n + 1):
            expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
            assert wilson_interval(successes, n, confidence) == pytest.approx(tuple(expected))


def test_wilson_without_observations_says_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(8, 15), st.none()), min_size=1, max_size=30))
def test_summary_equals_brute_force(steps):
    outcomes = [(False, 15) if taken is None else (True, taken) for taken in steps]
    metrics = summarise(make_frame(outcomes), timeout=15)
    won = [taken for taken in steps if taken is not None]
    assert metrics.episodes == len(steps)
    assert metrics.sr == pytest.approx(len(won) / len(steps))
    charged = [15 if taken is None else taken for taken in steps]
    assert metrics.asat == pytest.approx(sum(charged) / len(steps))
    assert metrics.asst == (pytest.approx(sum(won) / len(won)) if won else None)
    assert metrics.minimal_rate == pytest.approx(won.count(8) / len(steps))
    longer = [step / 8 - 1 for step in won]  # every world's optimum is 8 steps
    assert metrics.excess_steps == (pytest.approx(sum(longer) / len(won)) if won else None)
    lost = len(steps) - len(won)
    assert metrics.invalid_rate == pytest.approx(3 * lost / sum(charged))
    assert metrics.cut_rate == pytest.approx(len(steps) / sum(charged))
    assert metrics.malformed_rate == pytest.approx(lost / sum(charged))
    assert metrics.asat_low <= metrics.asat + 1e-9 and metrics.asat - 1e-9 <= metrics.asat_high


def test_a_failure_counts_as_the_timeout_however_early_it_stopped():
    assert summarise(make_frame([(True, 9), (False, 4)]), timeout=15).asat == 12.0


def test_published_rows_satisfy_the_identity_and_the_odd_row_is_kept():
    published = load_published(CONFIG.env)
    assert len(published.main) == 28 and len(published.grid) == 16
    odd = [place for place, cell in published.main.items() if cell.sr == 0 and cell.asst]
    assert odd == [("burger", "Qwen2.5-14B")]


def test_broken_identity_names_the_file():
    with pytest.raises(UserError, match=r"table\.csv:3: ASAT is 9 .* timeout of 15"):
        check_asat_identity(0.5, 9.0, 8.0, 15, "table.csv:3")
    with pytest.raises(UserError, match="ASST is missing"):
        check_asat_identity(0.5, 9.0, None, 15, "table.csv:3")


def test_bootstrap_is_reproducible_and_covers_the_mean():
    values = [8, 9, 15, 15, 11, 8]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    low, high = bootstrap_interval(values)
    assert low < sum(values) / len(values) < high
    assert bootstrap_interval([15, 15]) == (15, 15)


def test_paired_gain_counts_only_worlds_on_which_the_policies_differ():
    better = make_frame([(True, 9)] * 8 + [(False, 15)] * 2)
    worse = make_frame([(True, 9)] * 5 + [(False, 15)] * 5)
    gain, low, high = paired_gain(better, worse)
    assert gain == pytest.approx(0.3)
    # Agresti and Min: half an observation in each cell of the table (5, 3 / 0, 2), 12 pairs in all.
    half = NormalDist().inv_cdf(0.975) * math.sqrt(4 - 9 / 12) / 12
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half))
    assert paired_gain(worse, worse)[1] < 0 < paired_gain(worse, worse)[2]


def cross(successes: list[list[bool]]) -> pd.DataFrame:
    """Episodes of a policy trained with several seeds: one list a seed, one outcome a world."""
    parts = [
        make_frame([(won, 9 if won else 15) for won in outcomes], seed=seed)
        for seed, outcomes in enumerate(successes)
    ]
    return pd.concat(parts, ignore_index=True)


def test_spread_between_seeds_widens_the_interval_however_many_worlds():
    """One training always wins, the other never: over resampled seeds the mean is 0, 1/2 or 1."""
    apart = summarise(cross([[True] * 400, [False] * 400]), 15)
    assert (apart.sr, apart.sr_low, apart.sr_high) == (0.5, 0.0, 1.0)
    assert (apart.asat_low, apart.asat_high) == (9, 15)


def test_seeds_that_agree_leave_the_spread_of_the_worlds():
    """Equal outcomes in every seed: the interval is the worlds' binomial one, not a narrower one."""
    outcomes = [n % 4 > 0 for n in range(400)]
    agreed = summarise(cross([outcomes] * 3), 15)
    half = NormalDist().inv_cdf(0.975) * math.sqrt(0.75 * 0.25 / 400)
    assert agreed.sr == 0.75
    assert agreed.sr_low == pytest.approx(0.75 - half, abs=0.006)
    assert agreed.sr_high == pytest.approx(0.75 + half, abs=0.006)


def test_policies_that_never_fail_keep_the_interval_of_one_training():
    perfect = summarise(cross([[True] * 100] * 3), 15)
    assert (perfect.sr_low, perfect.sr_high) == pytest.approx(wilson_interval(100, 100))
    assert paired_gain(*[cross([[True] * 100] * 3)] * 2)[1] < 0


def test_paired_gain_over_seeds_takes_their_spread_in():
    worse = cross([[False] * 300] * 3)
    always = paired_gain(cross([[True] * 300] * 3), worse)
    assert always[0] == always[2] == 1.0 and 0.97 < always[1] < 1.0
    alone = paired_gain(make_frame([(True, 9)] * 300), make_frame([(False, 15)] * 300))
    assert always == pytest.approx(alone), "seeds that agree tell no more than one"
    once = paired_gain(cross([[True] * 300, [False] * 300, [False] * 300]), worse)
    assert once[0] == pytest.approx(1 / 3) and once[1] == 0 < once[2]
    base = make_frame([(False, 15)] * 300)
    assert paired_gain(cross([[True] * 300] * 3), base)[0] == 1.0, "the base has no seeds"


def test_paired_gain_pairs_by_world_not_by_order():
    better = make_frame([(True, 9), (False, 15)])
    assert paired_gain(better, better.iloc[::-1])[0] == 0


def test_mcnemars_test_counts_the_worlds_that_one_side_alone_wins():
    better = make_frame([(True, 9)] * 9 + [(False, 15)] * 3)
    worse = make_frame([(True, 9)] * 2 + [(False, 15)] * 8 + [(True, 9)] + [(False, 15)])
    # Of eight worlds in which they differ the first policy wins seven: by hand, twice the tail of fair coins.
    tail = sum(math.comb(8, k) for k in range(2)) / 2**8
    assert compare_pairs(better, worse) == (7, 1, pytest.approx(2 * tail))
    assert compare_pairs(worse, better) == (1, 7, pytest.approx(2 * tail))
    assert compare_pairs(better, better.iloc[::-1]) == (0, 0, 1.0)


def test_over_seeds_a_world_goes_to_the_policy_that_wins_it_more_often():
    better = cross(
        [[True, True, False, True], [True, False, False, True], [True, True, True, False]]
    )
    worse = cross(
        [[False, True, True, True], [True, False, True, True], [False, False, False, True]]
    )
    # By world: +2, +1, -1 and -1 of three trainings.
    assert compare_pairs(better, worse) == (2, 2, 1.0)
    agreed = cross([[True] * 6] * 3), cross([[False] * 6] * 3)
    assert compare_pairs(*agreed) == (6, 0, pytest.approx(2 / 2**6)), "six worlds, not eighteen"
    once = make_frame([(False, 15)] * 6)
    assert compare_pairs(agreed[0], once) == compare_pairs(*agreed)


def test_steps_are_saved_in_pairs_and_a_failure_counts_as_the_timeout():
    better = make_frame([(True, 9), (True, 10), (False, 4)])
    worse = make_frame([(True, 12), (False, 4), (False, 15)])
    saved, low, high = paired_saving(better, worse, timeout=15)
    assert saved == pytest.approx((3 + 5 + 0) / 3) and low <= saved <= high
    assert (low, high) == bootstrap_interval([3, 5, 0])
    assert paired_saving(better, better.iloc[::-1], 15) == (0, 0, 0)
    one = cross([[True] * 50, [False] * 50]), cross([[False] * 50] * 2)
    assert paired_saving(*one, 15) == (3, 0, 6), "one training saves six steps, the other none"


def test_read_episodes_ignores_further_keys(tmp_path):
    path = tmp_path / "burger.jsonl"
    episode = make_episode(WORLD, "burger", True, 9, remark="not ours")
    path.write_text(json.dumps(episode) + "\n")
    frame = read_episodes(path)
    assert len(frame) == 1 and "remark" not in frame and frame["seed"].tolist() == [0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"layout_hash": "a"\n', r"burger\.jsonl:1: the line is not JSON"),
        ("[1, 2]\n", r"burger\.jsonl:1: key 'layout_hash' is missing"),
        ('{"layout_hash": "a"}\n', r"burger\.jsonl:1: key 'task' is missing"),
        ("", r"burger\.jsonl: the file holds no lines"),
    ],
)
def test_damaged_lines_are_refused_in_one_sentence(tmp_path, line, sentence):
    path = tmp_path / "burger.jsonl"
    path.write_text(line)
    with pytest.raises(UserError, match=sentence) as refusal:
        read_episodes(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", "9"), ("steps", True), ("steps", 9.5), ("success", 1), ("actions", "Move")],
)
def test_wrong_types_are_refused_by_key(tmp_path, key, value):
    path = tmp_path / "burger.jsonl"
    write_lines(path, [make_episode(WORLD, "burger", True, 9) | {key: value}])
    with pytest.raises(UserError, match=f"burger.jsonl:1: '{key}' is"):
        read_episodes(path)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: the file can't be read .*run `snakemake"):
        read_episodes(tmp_path / "none.jsonl")
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="binary.jsonl: the file can't be read"):
        read_episodes(path)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"steps": 16}, "steps"),
        ({"steps": -1}, "steps"),
        ({"optimal_steps": 12}, "optimal_steps"),
        ({"invalid": 10}, "invalid"),
        ({"malformed": -1}, "malformed"),
        ({"invalid": 1, "malformed": 2}, "malformed"),
    ],
)
def test_impossible_episodes_are_refused_by_key(changes, key):
    frame = pd.DataFrame([make_episode(WORLD, "burger", True, 9) | changes])
    with pytest.raises(UserError, match=f"burger.jsonl: '{key}' of episode 1"):
        summarise(frame, timeout=15, source="burger.jsonl")
