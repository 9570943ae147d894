"""Tables and figures of the theory, from made-up measurements whose quantities are known by hand."""

import re
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

from synthetic_results import TASKS, make_config, write_theory
from taskreason.durability.errors import UserError
from taskreason.report.figures.studies import THEORY_FIGURES
from taskreason.report.figures.style import save_figure
from taskreason.report.numbers.studies import make_theory_macros
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.theory import (
    load_theory,
    make_grid,
    make_multi,
    make_recursion,
    make_single,
    make_tables,
    read_grid,
)
from taskreason.theory.analysis import chance_of_worse, expect_worse, sign_test

PAPER = Path(__file__).resolve().parents[2] / "paper"
GRID = {(a, b): 0.9 if TASKS.index(a) >= TASKS.index(b) else 0.3 for a in TASKS for b in TASKS}


@pytest.fixture(scope="module")
def theory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theory")
    grid = pd.DataFrame([(a, b, sr) for (a, b), sr in GRID.items()])
    grid.columns = ["train_task", "eval_task", "sr"]
    grid.to_csv(folder / "grid.csv")
    return load_theory(write_theory(folder), folder / "grid.csv", make_config(grpo={"beta": 0.5}))


def test_single_turns_before_and_after_are_compared_state_by_state(theory):
    table = make_single(theory).set_index(["task", "place", "right"])
    row = table.loc["burger", "expert", "expert"]
    assert row.states == 120
    assert row.sft == pytest.approx(0.8, abs=0.05) and row.sft_grpo == pytest.approx(0.95, abs=0.03)
    assert row.gain == pytest.approx(row.sft_grpo - row.sft)
    assert row.gain_low < row.gain < row.gain_high and row.gain_low > 0
    assert row.improved + row.unchanged + row.worse == pytest.approx(1)
    assert row.sft_low < row.sft < row.sft_high and row.worse < row.worse_by_chance
    assert row.sign_test < 1e-6 and row.fixed_point > row.sft
    # Two actions are optimal in the first state of four: all of its replies count there.
    tied = table.loc["burger", "expert", "optimal"]
    assert tied.sft == pytest.approx(0.75 * 0.8 + 0.25, abs=0.05)
    away = table.loc["burger", "off_path", "optimal"]
    assert (away.sft, away.gain, away.unchanged, away.sign_test) == (0.5, 0, 1, 1)


def test_what_chance_alone_does_is_counted_by_enumeration():
    """All ways of dealing the replies of a state to two samples, and of a kitchen of two states."""
    for before, after in ((3, 3), (2, 4)):
        total = before + after
        for hits in range(total + 1):
            deals = list(combinations(range(total), before))
            shares = [sum(place < hits for place in deal) / before for deal in deals]
            rest = [(hits - share * before) / after for share in shares]
            lower = sum(b < a - 1e-12 for a, b in zip(shares, rest, strict=True)) / len(deals)
            assert chance_of_worse(hits, before, after) == pytest.approx(lower)
    share, none = expect_worse([(3, 3, 3), (6, 3, 3)])
    assert share == pytest.approx(chance_of_worse(3, 3, 3) / 2)
    assert none == pytest.approx(1 - chance_of_worse(3, 3, 3))


def test_sign_test_by_hand():
    assert sign_test(0, 0) == 1 and sign_test(3, 3) == 1
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(1, 4) == pytest.approx(2 * 6 / 32)


def test_the_recursion_is_held_against_episodes(theory):
    table = make_recursion(theory).set_index(["task", "policy"])
    row = table.loc["cheese_burger", "sft"]
    assert (row.kitchens, row.rollouts) == (30, 1200)
    assert row.unique_states == 0.75 and row.unique_kitchens == 0
    assert row.denied == pytest.approx(0.25 * 0.2, abs=0.03)
    assert row.predicted == pytest.approx(0.8**4, abs=0.07)
    assert row.observed == pytest.approx(0.8**4, abs=0.07)
    assert row.missed == pytest.approx(0.2, abs=0.05)
    assert row.inside > 0.9 and row.inside_low < row.inside <= row.inside_high
    assert row.predicted_low < row.predicted < row.predicted_high
    whole = table.loc["all", "all"]
    assert (whole.kitchens, whole.rollouts, whole.unique_states) == (240, 9600, 0.75)
    assert whole.predicted == pytest.approx(table.predicted.iloc[:-1].mean())


def test_multi_turn_success_and_its_assumption(theory):
    table = make_multi(theory).set_index("task")
    row = table.loc["burger"]
    assert row.gain == pytest.approx(0.95**4 - 0.8**4, abs=0.08) and row.gain_low > 0
    assert 0 < row.assumption < 1 and row.given_assumption == 1
    assert row.kitchens_not_lower <= row.states_not_lower


def test_what_tasks_share_is_read_off_their_goals(theory):
    table = make_grid(theory).set_index(["train_task", "eval_task"])
    row = table.loc["burger", "cheese_burger"]
    assert (row.prefix, row.skills, row.length) == (0.5, 0.75, 0.75)
    assert table.loc["cheese_sandwich", "burger"].prefix == 0
    assert table.loc["double_cheese_burger", "cheese_burger"].skills == 1
    assert row.length_correlation > 0.5


def test_tables_and_figures_are_written_and_the_same_again(theory, tmp_path):
    for name, table in make_tables(theory).items():
        shown = render_latex(table)
        assert len(table.csv) and shown.count(r"\begin{tabular}") == 1, name
        body = shown[shown.index(r"\midrule") :].splitlines()
        assert len({line.count("&") for line in body if line.endswith(r"\\")}) == 1
    for name, draw in THEORY_FIGURES.items():
        paths = [tmp_path / f"{name}{run}.png" for run in range(2)]
        for path in paths:
            save_figure(draw(theory), path)
        first, second = (path.read_bytes() for path in paths)
        assert len(first) > 5000 and first == second


def test_a_missing_grid_is_named(tmp_path):
    with pytest.raises(UserError, match="grid.csv: is no table of SR"):
        read_grid(tmp_path / "grid.csv")
    pd.DataFrame({"train_task": ["a", "a"], "eval_task": ["b", "b"], "sr": [0.5, 1.0]}).to_csv(
        tmp_path / "grid.csv"
    )
    assert read_grid(tmp_path / "grid.csv") == {("a", "b"): 0.75}


def test_the_papers_section_uses_the_macros_that_there_are(theory):
    text = (PAPER / "theory.tex").read_text()
    macros = make_theory_macros(make_tables(theory))
    assert set(re.findall(r"\\(Theory\w+)", text)) <= set(macros)
    assert macros["TheorySingleAbove"] == "on 4 of the 4 tasks"
    assert macros["TheorySingleBelow"] == "on none of the 4 tasks"
    assert macros["TheoryUniqueStates"] == "0.750" and macros["TheoryStates"] == "480"
    assert macros["TheoryVerdictSingle"].startswith(
        "held on average on 4 of the 4 tasks and not at"
    )
    assert macros["TheoryVerdictRecursion"].startswith("held: episodes lie in")
    assert macros["TheoryVerdictHorizons"].startswith("held on average at 12 of the 12 horizons")
    assert macros["TheoryVerdictGrid"].startswith("across tasks, the length of the longer training")
