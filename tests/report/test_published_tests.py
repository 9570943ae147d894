"""The published gains under tests, against values by hand and against the printed cells."""

import csv
import re
from math import comb
from pathlib import Path

import pandas as pd
import pytest

from synthetic_results import TASKS, make_config
from taskreason.report.numbers.published import judge_abstract, make_published_macros
from taskreason.report.published import load_published
from taskreason.report.results import Results
from taskreason.report.tables.published import APART, TOGETHER, make_published_tests

CFG = make_config()
RESULTS = Results(Path("results/laptop"), CFG, {}, {}, {}, {})
SFT, PROMPTED, AFTER = "Qwen2.5-1.5B + SFT", "Qwen2.5-14B", "Qwen2.5-1.5B + SFT + GRPO"
PAPER = Path(__file__).resolve().parents[2] / "paper"


@pytest.fixture(scope="module")
def tests():
    return make_published_tests(RESULTS).csv.set_index(["before", "task"])


def test_rates_are_those_that_are_printed(tests):
    rows = csv.DictReader((CFG.env.data / "published" / "table1_main.csv").open())
    printed = {(row["task"], row["model"]): float(row["sr"]) for row in rows}
    for before in (SFT, PROMPTED):
        for task in TASKS:
            row = tests.loc[before, task]
            assert row.sr_before == printed[task, before] and row.sr_after == printed[task, AFTER]
            assert row.gain == pytest.approx(row.sr_after - row.sr_before) and row.episodes == 10
    assert tests.loc[SFT, TOGETHER].sr_before == pytest.approx(0.9 / 4)


def count_splits(hits: int, other: int, n: int) -> float:
    """Fisher's p: the splits of all hits over two sides of n episodes that are no likelier than the one seen."""
    ways = [comb(n, k) * comb(n, hits + other - k) for k in range(min(n, hits + other) + 1)]
    return sum(way for way in ways if way <= ways[hits]) / comb(2 * n, hits + other)


def test_each_task_is_tested_by_itself(tests):
    found = [tests.loc[SFT, task].p for task in TASKS]
    by_hand = [count_splits(*hits, 10) for hits in ((3, 0), (7, 2), (7, 6), (3, 1))]
    assert found == pytest.approx(by_hand)
    assert [round(p, 2) for p in found] == [0.21, 0.07, 1.0, 0.58]
    assert tests.loc[PROMPTED, "burger"].p == pytest.approx(2 * comb(10, 7) / comb(20, 7))


def test_all_tasks_are_tested_apart_and_together(tests):
    """Apart by brute force: the ways to split each task's hits, over all sums that are no likelier than 20."""
    chance = {0: 1}
    for total in (3, 9, 13, 4):
        drawn = {k: comb(10, k) * comb(10, total - k) for k in range(11) if 0 <= total - k <= 10}
        chance = {
            at: sum(ways * drawn.get(at - before, 0) for before, ways in chance.items())
            for at in range(41)
        }
    likely = sum(ways for ways in chance.values() if ways <= chance[20])
    assert tests.loc[SFT, APART].p == pytest.approx(likely / sum(chance.values()))
    assert tests.loc[SFT, TOGETHER].p == pytest.approx(count_splits(20, 9, 40))
    assert round(tests.loc[SFT, TOGETHER].p, 2) == 0.02


def test_the_smallest_visible_gain_is_the_first_with_a_power_of_four_fifths(tests):
    """From none of ten: five or more are rejected (0.033), four are not (0.087)."""
    assert count_splits(4, 0, 10) > 0.05 > count_splits(5, 0, 10)

    def see_five(p):
        return sum(comb(10, k) * p**k * (1 - p) ** (10 - k) for k in range(5, 11))

    smallest = tests.loc[SFT, "cheese_sandwich"].smallest
    assert see_five(smallest - 0.01) < 0.8 <= see_five(smallest)
    # Ten of ten over six of ten is what chance gives in one of eleven.
    assert pd.isna(tests.loc[SFT, "cheese_burger"].smallest)


def test_the_abstract_is_set_beside_the_cells_of_its_length():
    said = judge_abstract(load_published(CFG.env), CFG)
    assert said["PubAbstractLong"].startswith(
        "double cheese burger (timeout 35), where it prints 0.30"
    )
    assert said["PubAbstractSame"] == "burger (timeout 15) and cheese burger (timeout 23)"
    shorter = load_published(CFG.env)
    shorter.setting["abstract_steps"] = "20"
    assert judge_abstract(shorter, CFG)["PubAbstractLong"].count("timeout") == 2


def test_the_paper_quotes_macros_that_there_are():
    macros = make_published_macros(RESULTS)
    quoted = set(
        re.findall(r"\\(Pub(?:Test|Abstract|Largest)\w+)", (PAPER / "main.tex").read_text())
    )
    assert quoted == set(macros)
    assert macros["PubTestSftPs"] == "0.211, 0.070, 1.000, 0.582"
    assert macros["PubTestSftSmallest"].endswith("and none on 1 of the 4 tasks")
