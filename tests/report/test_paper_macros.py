"""What only the paper quotes: means with intervals, an episode retraced, the columns of the settings."""

import json
from dataclasses import asdict
from math import sqrt

import pytest
from scipy.stats import binomtest

from synthetic_results import CONFIG, LAYOUTS, make_config, write_results
from taskreason.environments.base import list_plan
from taskreason.report.numbers.departures import make_departure_macros
from taskreason.report.numbers.episode import ChosenEpisode, retrace
from taskreason.report.numbers.settings import flatten_settings, list_printed, split_columns
from taskreason.report.numbers.verdicts import average_grid, average_rates, tell_order
from taskreason.report.results import Results
from taskreason.rollouts.orders import compare_rates, judge_chain, judge_order, subtract_rates


def test_half_widths_of_separate_worlds_are_squared_and_those_of_the_same_ones_added():
    rates = [(0.5, 0.4, 0.7), (0.9, 0.6, 0.95)]
    assert average_rates([[rates[0]]]) == pytest.approx(rates[0])
    mean, low, high = average_rates([[rate] for rate in rates])
    assert mean == pytest.approx(0.7)
    assert low == pytest.approx(0.7 - sqrt(0.1**2 + 0.3**2) / 2)
    assert high == pytest.approx(0.7 + sqrt(0.2**2 + 0.05**2) / 2)
    assert average_rates([rates]) == pytest.approx((0.7, 0.5, 0.825))
    grid = {("b", "a"): rates[0], ("c", "a"): rates[1], ("c", "b"): rates[0]}
    assert average_grid(grid, [("b", "a"), ("c", "a")]) == pytest.approx((0.7, 0.5, 0.825))
    apart = average_grid(grid, [("b", "a"), ("c", "b")])
    assert apart == pytest.approx((0.5, 0.5 - sqrt(2) * 0.05, 0.5 + sqrt(2) * 0.1))


def test_rates_of_one_have_an_interval_that_ends_there():
    mean, low, high = average_rates([[(1.0, 0.9, 1.0)], [(1.0, 0.9, 1.0)]])
    assert (mean, high) == (1.0, 1.0) and 0.9 < low < 1.0
    with pytest.raises(ValueError, match="no rate"):
        average_rates([])


def wilson(successes, n):
    return successes / n, *binomtest(successes, n).proportion_ci(method="wilson")


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 20), (0.6791, 1.0000)),
    ],
)
def test_differences_have_newcombes_published_intervals(first, second, ends):
    """Newcombe (1998), table II, method 10."""
    difference, low, high = subtract_rates(wilson(*first), wilson(*second))
    assert difference == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (low, high) == pytest.approx(ends, abs=5e-5)


def test_an_order_is_held_by_its_interval_and_not_by_its_point():
    assert [judge_order(*ends) for ends in ((0.01, 0.2), (-0.1, 0.3), (-0.2, -0.01), (0, 0))] == [
        *("held", "open", "reversed", "open")
    ]
    assert judge_chain(["held", "held"]) == "held" and judge_chain(["held", "open"]) == "open"
    assert judge_chain(["open", "reversed"]) == judge_chain(["held", "reversed"]) == "reversed"
    told = tell_order(["held", "open", "open", "reversed"])
    assert told == "on 1 of the 4 tasks (reversed on 1, open on 2)"
    higher = compare_rates([wilson(56, 70), wilson(6, 10)], [wilson(48, 80), wilson(5, 10)])
    assert higher == [True, False]


@pytest.fixture
def world():
    row = {"layout": json.loads((LAYOUTS / "burger.json").read_text()), "layout_hash": "0"}
    return CONFIG.env.load(row, "burger.json")


def choose(world, actions):
    replies = [f"Thought: number {n}.\nAction: {text}" for n, text in enumerate(actions)]
    return ChosenEpisode("burger", world, actions, replies, len(actions), 5, True)


def test_a_retraced_episode_is_judged_in_the_state_of_every_step(world):
    plan = [action for _, action in list_plan(world, CONFIG.env.teacher(world))]
    steps = retrace(choose(world, [plan[0], "Do nothing", "Fly away", *plan[1:]]), CONFIG.env)
    assert [step.optimal for step in steps] == [True, False, False] + [True] * (len(plan) - 1)
    assert [step.possible for step in steps] == [True, True, False] + [True] * (len(plan) - 1)
    left = [len(plan), len(plan) - 1, len(plan) - 1, *range(len(plan) - 1, 0, -1)]
    assert [step.left for step in steps] == left
    assert plan[1] in steps[1].others and steps[2].thought == "number 2."
    assert "not possible; optimal: " in steps[2].to_latex()


def test_settings_are_split_between_groups_and_none_is_lost():
    keys = list_printed(CONFIG)
    left, right = split_columns(keys)
    assert left + right == keys
    assert abs(len(left) - len(right)) < len(keys) / 3
    assert not {key.split(".")[0] for key in left} & {key.split(".")[0] for key in right}
    assert set(keys) < flatten_settings(asdict(CONFIG)).keys()
    assert "grpo.beta" in keys and "resources.gpu" not in keys and "expert.model" not in keys


def tell_departures(root, **changes):
    return dict(make_departure_macros(Results(root, make_config(**changes), {}, {}, {}, {})))


def test_departures_are_numbers_of_the_run(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=2)
    for task, epochs in (("burger", 0.5), ("cheese_burger", 0.19)):
        path = root / "training" / task / "grpo.csv"
        path.write_text(f"step,epoch\n1,0.1\n2,{epochs}\n")
    told = tell_departures(root)
    # The made-up logs of the two other tasks end after 100 / 40 epochs.
    assert told["GrpoPasses"] == "0.19 to 2.50"
    # Two decisions at most of each of the curriculum's 51,000 kitchens, and of 6,000 that begin hindered.
    assert told["BaseDecisions"] == r"114\,000"
    assert told["ExpertThoughts"] == "whole"
    assert told["ExpertThoughtFaults"] == r"20\,\% of its names become others of their sort"
    perfect = tell_departures(root, expert={"thought_noise": 0})
    assert perfect["ExpertThoughtFaults"] == "free of faults"
    expert = {"thoughts": "short", "thought_noise": 0.3, "thought_fault": "missing"}
    other = tell_departures(root, expert=expert, base={"model": "bundled:base_models/small"})
    assert other["BaseDecisions"] == "--"
    assert other["ExpertThoughts"].startswith("cut to what is seen")
    assert other["ExpertThoughtFaults"] == r"30\,\% of its sentences are missing"
