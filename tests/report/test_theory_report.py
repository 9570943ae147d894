"""Tables and figures of the theory, from made-up measurements whose quantities are known by hand."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthetic_results import TASKS, make_config, write_fixed_point, write_theory
from taskreason.durability.errors import UserError
from taskreason.report.figures.fixed_point import draw_fixed_point
from taskreason.report.figures.studies import THEORY_FIGURES
from taskreason.report.figures.style import save_figure
from taskreason.report.numbers.theory import make_theory_macros
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.fixed_point import load_fixed, make_table
from taskreason.report.tables.theory import (
    load_theory,
    make_grid,
    make_horizons,
    make_multi,
    make_recursion,
    make_single,
    make_tables,
    read_grid,
)
from taskreason.theory.theorems import find_fixed_point

PAPER = Path(__file__).resolve().parents[2] / "paper"
GRID_COLUMNS = ["train_task", "eval_task", "sr"]
GRID = {(a, b): 0.9 if TASKS.index(a) >= TASKS.index(b) else 0.3 for a in TASKS for b in TASKS}


@pytest.fixture(scope="module")
def theory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theory")
    grid = pd.DataFrame([(a, b, sr) for (a, b), sr in GRID.items()])
    grid.columns = GRID_COLUMNS
    grid.to_csv(folder / "grid.csv")
    return load_theory(write_theory(folder), folder / "grid.csv", make_config(grpo={"beta": 0.5}))


def test_single_turns_before_and_after_are_compared_state_by_state(theory):
    table = make_single(theory).set_index(["task", "place", "right"])
    row = table.loc["burger", "expert", "expert"]
    assert row.states == 120
    assert row.sft == pytest.approx(0.8, abs=0.01) and row.sft_grpo == pytest.approx(0.95, abs=0.01)
    assert row.gain == pytest.approx(row.sft_grpo - row.sft)
    assert row.gain_low < row.gain < row.gain_high and row.gain_low > 0
    # Bounds are narrow and every state has become better.
    assert (row.improved, row.undecided, row.worse) == (1, 0, 0)
    assert row.sft_low < row.sft < row.sft_high and row.fixed_point > row.sft
    assert row.listed_sft == pytest.approx(0.9992) and row.enumerated_sft == 1
    # Two actions are optimal in the first state of four: all of its replies count there.
    tied = table.loc["burger", "expert", "optimal"]
    assert tied.sft == pytest.approx(0.75 * 0.8 + 0.25, abs=0.01)
    assert (tied.improved, tied.undecided, tied.worse) == (0.75, 0.25, 0)
    # Off the path nothing changes: 0.3, and half of 0.3992, of what is resolved.
    away = table.loc["burger", "off_path", "optimal"]
    assert away.sft == pytest.approx((0.3 + 0.1996) / (1 - 0.0008 - 0.0004), abs=1e-4)
    assert (away.gain, away.undecided, away.enumerated_sft) == (0, 1, 0)


def test_the_recursion_is_held_against_episodes(theory):
    table = make_recursion(theory).set_index(["task", "policy"])
    row = table.loc["cheese_burger", "sft"]
    assert (row.kitchens, row.rollouts) == (30, 1200)
    assert row.unique_states == 0.75 and row.unique_kitchens == 0
    assert row.denied == pytest.approx(0.25 * 0.2, abs=0.01)
    assert row.predicted == pytest.approx(0.8**4, abs=0.02)
    assert row.observed == pytest.approx(0.8**4, abs=0.06)
    # The other action of the first state leads to one that was not asked about: it may succeed always or never.
    assert row.predicted_high - row.predicted_low == pytest.approx(0.2, abs=0.02)
    assert row.range_low < row.observed < row.range_high and row.p_value > 0.05
    assert row.inside > 0.9 and row.inside_low < row.inside <= row.inside_high
    assert row.error_high > 0.15
    whole = table.loc["all", "all"]
    assert (whole.kitchens, whole.rollouts, whole.unique_states) == (240, 9600, 0.75)
    assert whole.predicted == pytest.approx(table.predicted.iloc[:-1].mean())
    assert whole.p_value > 0.05 and whole.outside_p_value > 0.05


def test_a_recursion_that_misses_is_rejected(tmp_path, theory):
    """Episodes that succeed half as often as they should, in the narrow bounds of single optima."""
    paths = write_theory(tmp_path)
    for path in paths.values():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            first = row["states"][0]
            del first["optimal"]["other"], first["chances"]["finished"]["other"]
            lost = row["rollouts"].get("4", 0) // 2
            row["rollouts"]["4"] = row["rollouts"].get("4", 0) - lost
            row["rollouts"]["0"] = row["rollouts"].get("0", 0) + lost
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame([(a, b, 0.5) for a in TASKS for b in TASKS], columns=GRID_COLUMNS).to_csv(
        tmp_path / "grid.csv"
    )
    tables = make_tables(load_theory(paths, tmp_path / "grid.csv", theory.cfg))
    table = tables["theory_recursion"].csv
    assert (table.p_value < 1e-6).all() and table.outside_p_value.iloc[-1] < 1e-6
    assert (table.observed < table.range_low).all() and (table.error_low > 0).all()
    macros = make_theory_macros({**list_rows(tables), "theory_fixed_point": make_fixed(tmp_path)})
    assert macros["TheoryVerdictRecursion"].startswith("did not hold: 0.")
    assert macros["TheoryTestAll"] == "$p < .001$"
    assert macros["TheoryRejected"] == "8 of the 8"


def test_multi_turn_success_and_its_assumption(theory):
    table = make_multi(theory).set_index("task")
    row = table.loc["burger"]
    assert row.gain == pytest.approx(0.95**4 - 0.8**4, abs=0.03) and row.gain_low > 0
    # States off the path stay as they are, which shows nothing and refutes nothing.
    assert row.assumption_low == 0 and row.assumption_high == 1
    assert row.states_not_lower == 1 and row.kitchens_not_lower == 1
    assert row.states_not_lower_low == 1 and row.states_not_lower_high == 1


def test_horizons_are_predicted_and_judged(theory):
    table = make_horizons(theory).set_index(["task", "policy", "share"])
    row = table.loc["burger", "sft", 2 / 3]
    assert row.steps == 3 and row["product"] == pytest.approx(0.8**3, abs=0.03)
    assert row.predicted_low <= row.predicted <= row.predicted_high
    assert row.p_value > 0.01
    gain = table.loc["burger", "sft_grpo", 1.0]
    assert gain.gain_low > 0 and pd.isna(row.gain)


def test_the_fixed_point_is_set_against_what_training_reached(tmp_path):
    rows = make_fixed(tmp_path).set_index(["beta", "range"])
    row = rows.loc[3.0, "all"]
    assert (row.states, row.inside) == (8, 7)
    assert row.p == pytest.approx((1 + row.p_ref) / 2) and row.width == pytest.approx(0.002)
    low = rows.loc[3.0, "0 to 0.5"]
    assert low.states == 2 and low.p_ref == pytest.approx(0.4)
    # By hand: logit .35 + 1 / (3 sqrt(p (1 - p))) and logit .45 likewise, at their fixed points.
    for p_ref in (0.35, 0.45):
        fixed = find_fixed_point(p_ref, 3.0)
        odds = np.log(p_ref / (1 - p_ref)) + 1 / (3 * np.sqrt(fixed * (1 - fixed)))
        assert fixed == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-3)
    limits = [find_fixed_point(p_ref, 3.0) for p_ref in (0.35, 0.45)]
    off = np.array([0.675, 0.725]) - limits
    assert low.off == pytest.approx(off.mean()) and low.distance == pytest.approx(abs(off).mean())
    assert low.off_low <= low.off <= low.off_high
    assert row.drift == pytest.approx(0.02)
    assert rows.loc[10.0, "all"].limit < row.limit


def make_fixed(folder):
    chosen, trained = write_fixed_point(folder)
    return make_table(load_fixed(chosen, trained, 8, 0.95)).csv


def list_rows(tables):
    return {name: table.csv for name, table in tables.items()}


def test_what_tasks_share_is_read_off_their_goals(theory):
    table = make_grid(theory).set_index(["train_task", "eval_task"])
    row = table.loc["burger", "cheese_burger"]
    assert (row.prefix, row.skills, row.length) == (0.5, 0.75, 0.75)
    assert table.loc["cheese_sandwich", "burger"].prefix == 0
    assert table.loc["double_cheese_burger", "cheese_burger"].skills == 1
    assert row.length_correlation > 0.5


def test_tables_and_figures_are_written_and_the_same_again(theory, tmp_path):
    fixed = make_table(load_fixed(*write_fixed_point(tmp_path), 8, 0.95))
    for name, table in (make_tables(theory) | {"fixed": fixed}).items():
        shown = render_latex(table)
        assert len(table.csv) and shown.count(r"\begin{tabular}") == 1, name
        body = shown[shown.index(r"\midrule") :].splitlines()
        assert len({line.count("&") for line in body if line.endswith(r"\\")}) == 1
    fixed = load_fixed(*write_fixed_point(tmp_path), 8, 0.95)
    drawn = {name: partial(draw, theory) for name, draw in THEORY_FIGURES.items()}
    for name, draw in (drawn | {"fixed": partial(draw_fixed_point, fixed)}).items():
        paths = [tmp_path / f"{name}{run}.png" for run in range(2)]
        for path in paths:
            save_figure(draw(), path)
        first, second = (path.read_bytes() for path in paths)
        assert len(first) > 5000 and first == second


def test_a_missing_grid_is_named(tmp_path):
    with pytest.raises(UserError, match="grid.csv: is no table of SR"):
        read_grid(tmp_path / "grid.csv")
    pd.DataFrame({"train_task": ["a", "a"], "eval_task": ["b", "b"], "sr": [0.5, 1.0]}).to_csv(
        tmp_path / "grid.csv"
    )
    assert read_grid(tmp_path / "grid.csv") == {("a", "b"): 0.75}


def test_the_papers_section_uses_the_macros_that_there_are(theory, tmp_path):
    text = (PAPER / "theory.tex").read_text()
    rows = list_rows(make_tables(theory))
    macros = make_theory_macros(rows | {"theory_fixed_point": make_fixed(tmp_path)})
    assert set(re.findall(r"\\(Theory\w+)", text)) <= set(macros)
    assert macros["TheorySingleAbove"] == "on 4 of the 4 tasks"
    assert macros["TheorySingleBelow"] == "on none of the 4 tasks"
    assert macros["TheoryUniqueStates"] == "0.750" and macros["TheoryStates"] == "480"
    assert macros["TheoryVerdictSingle"] == (
        "held on average on 4 of the 4 tasks, and no state is shown to be lower after it"
    )
    assert macros["TheoryVerdictRecursion"].startswith("was not refuted: 0.")
    # Every reply to the first state is optimal, so nothing is gained where a sub-task ends after it.
    assert macros["TheoryVerdictHorizons"].startswith("held on average at 8 of the 12 horizons")
    assert macros["TheoryVerdictGrid"].startswith("across tasks, the length of the longer training")
    assert macros["TheoryFixedInside"] == "7" and macros["TheoryFixed"].count("beta") == 2
