"""Tables, figures, macros and verdicts of results in which no two cells agree, held to how these were made.

Four tasks with timeouts and bounds of their own; 28 cells, each with its own number of solved worlds and its own steps.
A grid that is read or written transposed, a cell of another policy, a timeout of another task: each moves a number.
"""

import csv
import json
import math
import re
from itertools import combinations, product
from statistics import NormalDist, mean, stdev

import pytest
from scipy.stats import binomtest

from synthetic_results import (
    TASKS,
    make_config,
    make_episode,
    write_json,
    write_lines,
    write_results,
)
from taskreason.report.figures.results import make_figure
from taskreason.report.labels import task_title
from taskreason.report.numbers.macros import collect_macros
from taskreason.report.render.tables import render_html, render_latex
from taskreason.report.results import load_results
from taskreason.report.tables.registry import make_table

WORLDS, STATES, SHIFT = 40, 200, 2
TIMEOUTS = dict(zip(TASKS, (14, 17, 23, 35), strict=True))
BOUNDS = dict(zip(TASKS, (8, 11, 13, 21), strict=True))
OPTIMA = dict(zip(TASKS, (7, 9, 12, 20), strict=True))
WINS = {
    "expert": (36, 37, 38, 39),
    "base": (0, 1, 2, 3),
    "sft": (13, 27, 17, 19),
    "sft_grpo": ((20, 7, 4, 5), (21, 24, 8, 9), (22, 25, 28, 11), (23, 26, 29, 32)),
}
"""Solved worlds by task; of SFT+GRPO, a row for each task that it was trained on. On burger, SFT alone is better."""
SAMPLED_WINS = {
    ("base", 1): (10, 11, 12, 13),
    ("sft", 0.3): (14, 15, 16, 18),
    ("sft", 0.6): (9, 8, 7, 6),
    ("sft", 1): (5, 4, 3, 2),
    ("sft_grpo", 1): (30, 1, 31, 33),
}
"""The same of episodes with sampled replies, by policy and temperature."""
CFG = make_config(
    task_settings={task: {"timeout": TIMEOUTS[task], "bound": BOUNDS[task]} for task in TASKS}
)
PUBLISHED = CFG.env.data / "published"


def list_cells():
    """(policy, trained on, evaluated on, solved worlds, number of the cell)."""
    number = 0
    for policy, wins in WINS.items():
        for row, train_task in enumerate(TASKS if policy == "sft_grpo" else ["-"]):
            for column, task in enumerate(TASKS):
                solved = wins[row][column] if policy == "sft_grpo" else wins[column]
                trained = task if policy == "sft" else train_task
                yield policy, trained, task, solved, number
                number += 1


CELLS = {(policy, trained, task): (solved, n) for policy, trained, task, solved, n in list_cells()}


def expect(policy, trained, task):
    """SR, ASAT and ASST by the definitions: the first solved world takes some steps more than the others."""
    solved, number = CELLS[policy, trained, task]
    steps = [OPTIMA[task] + (1 + number % 4) * (n == 0) for n in range(solved)]
    asst = sum(steps) / solved if solved else None
    return solved / WORLDS, (sum(steps) + (WORLDS - solved) * TIMEOUTS[task]) / WORLDS, asst


def key_of(policy, task):
    return policy, task if policy in ("sft", "sft_grpo") else "-", task


def read_published(name):
    """Rows of a published table by what names them, its first two columns."""
    with (PUBLISHED / f"{name}.csv").open() as file:
        return {tuple(row.values())[:2]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = write_results(tmp_path_factory.mktemp("work") / "results" / "laptop", WORLDS)
    for task in TASKS:
        file = root / "worlds" / task / "eval.jsonl"
        rows = [json.loads(line) | {"optimal_steps": OPTIMA[task]} for line in file.open()]
        write_lines(file, rows)
        for policy, trained in dict.fromkeys(key[:2] for key in CELLS if key[2] == task):
            solved, number = CELLS[policy, trained, task]
            # Which worlds are solved differs from cell to cell, too.
            first = SHIFT * number % WORLDS
            rows = [*rows[first:], *rows[:first]]
            episodes = []
            for n, row in enumerate(rows):
                steps = OPTIMA[task] + (1 + number % 4) * (n == 0) if n < solved else TIMEOUTS[task]
                episodes.append(
                    make_episode(
                        row,
                        task,
                        n < solved,
                        steps,
                        invalid=number % 3,
                        malformed=0,
                        cut=number % 5,
                    )
                )
            home = f"{policy}/{trained}/{task}"
            write_lines(root / "episodes" / f"{home}.jsonl", episodes)
            counts = {"states": STATES, "optimal": 100 + number, "expert": 50, "valid": 199}
            write_json(root / "single_turn" / f"{home}.json", counts)
        for (policy, temperature), wins in SAMPLED_WINS.items():
            solved = wins[TASKS.index(task)]
            rows = [*rows[solved:], *rows[:solved]]
            episodes = [
                make_episode(row, task, n < solved, OPTIMA[task] if n < solved else TIMEOUTS[task])
                for n, row in enumerate(rows)
            ]
            home = root / "episodes_sampled" / key_of(policy, task)[0] / key_of(policy, task)[1]
            write_lines(home / f"T{temperature:g}" / f"{task}.jsonl", episodes)
    return root


@pytest.fixture(scope="module")
def macros(root):
    return collect_macros(load_results(root, CFG))


def test_no_two_cells_agree():
    assert len(CELLS) == 28 == len({solved for solved, _ in CELLS.values()})
    assert len({expect(*key)[1] for key in CELLS}) == 28


def test_every_row_of_the_main_table_is_its_own_cell(root):
    table = make_table("main", root, CFG).csv
    assert len(table) == 16
    for row in table.to_dict("records"):
        key = key_of(row["policy"], row["task"])
        sr, asat, asst = expect(*key)
        assert (row["sr"], row["asat"]) == pytest.approx((sr, asat))
        assert row["asst"] == pytest.approx(asst) if asst else row["asst"] != row["asst"]
        assert row["single_turn_optimal_rate"] == pytest.approx((100 + CELLS[key][1]) / STATES)
        steps = asat * WORLDS
        assert row["invalid_rate"] == pytest.approx(CELLS[key][1] % 3 * WORLDS / steps)
        assert row["cut_rate"] == pytest.approx(CELLS[key][1] % 5 * WORLDS / steps)
        minimal = max(CELLS[key][0] - 1, 0) / WORLDS
        assert row["minimal_rate"] == pytest.approx(minimal)
        wins = SAMPLED_WINS.get((row["policy"], 1))
        sampled = wins[TASKS.index(row["task"])] / WORLDS if wins else None
        assert row["sampled_sr"] == (sampled if wins else pytest.approx(math.nan, nan_ok=True))


def test_every_row_of_the_grid_is_its_own_cell(root):
    table = make_table("generalization", root, CFG).csv
    assert len(table) == 16
    for row in table.to_dict("records"):
        wanted = expect("sft_grpo", row["train_task"], row["eval_task"])
        assert (row["sr"], row["asat"], row["asst"]) == pytest.approx(wanted)


METRICS = [("sr", 0, ".2f"), ("asat", 1, ".1f"), ("asst", 2, ".1f")]


@pytest.mark.parametrize(("metric", "place", "form"), METRICS)
def test_the_printed_grid_has_each_number_under_its_task(root, metric, place, form):
    """In LaTeX and in HTML, row by row, the columns in the order of their headings."""
    table = make_table(f"generalization_{metric}", root, CFG)
    latex = render_latex(table)
    html = render_html(table.specs[0], table.csv, "grid")
    for text, mark in ((latex, "Double"), (html, "Double cheese burger")):
        last_words = ["sandwich", "Burger", "Cheese", mark]
        places = [text.index(word) for word in last_words]
        assert places[0] < places[1] and places[0] < places[3] and places[1] < places[3]
    for train_task in TASKS:
        wanted = [expect("sft_grpo", train_task, task)[place] for task in TASKS]
        (line,) = [
            row for row in latex.splitlines() if row.startswith(f"{task_title(train_task)} &")
        ]
        cells = [cell.strip() for cell in line.split(" & ")[1:]]
        assert [cell.split()[0] for cell in cells] == [format(value, form) for value in wanted]
        title = f">{task_title(train_task)}</"
        (row,) = [
            row
            for row in re.findall("<tr.*?</tr>", html, re.DOTALL)
            if title in row and "<data" in row
        ]
        values = map(float, re.findall(r'<data value="([^"]*)"', row))
        # A subsequence: intervals lie between them.
        assert all(any(value == pytest.approx(mean) for value in values) for mean in wanted)


@pytest.mark.parametrize(("metric", "place", "form"), METRICS)
def test_the_heat_maps_say_in_each_field_what_belongs_there(root, metric, place, form):
    """Fields are found by the labels of the axes; the published grid comes from its own file."""
    figure = make_figure(f"generalization_{metric}", root, CFG)
    ours, theirs = figure.axes[:2]
    published = {pair: row[metric] for pair, row in read_published("generalization").items()}
    assert any(published[a, b] != published[b, a] for a, b in combinations(TASKS, 2))
    named = {task_title(task).replace(" ", "\n", 1): task for task in TASKS}
    columns, rows = (
        {tick: named[label.get_text()] for tick, label in zip(ticks, labels, strict=True)}
        for ticks, labels in (
            (ours.get_xticks(), ours.get_xticklabels()),
            (ours.get_yticks(), ours.get_yticklabels()),
        )
    )
    assert ours.get_ylabel() == "Trained on" and ours.get_xlabel() == "Evaluated on"
    assert list(columns.values()) == list(rows.values()) == list(TASKS)
    for axis, wanted in (
        (ours, lambda a, b: format(expect("sft_grpo", a, b)[place], form)),
        (theirs, lambda a, b: format(float(published[a, b]), form) if published[a, b] else "–"),
    ):
        placed = [(*text.get_position(), text.get_text()) for text in axis.texts]
        fields = {(rows[y], columns[x]): text for x, y, text in placed}
        assert fields == {(a, b): wanted(a, b) for a, b in product(TASKS, TASKS)}
    # The colours are of the same cells: brighter is better, as a share of the task's own timeout for steps.
    shades = ours.collections[0].get_array().reshape(4, 4)
    for (row, a), (column, b) in product(enumerate(TASKS), enumerate(TASKS)):
        over = 1 if metric == "sr" else TIMEOUTS[b]
        assert shades[row, column] == pytest.approx(expect("sft_grpo", a, b)[place] / over)


def test_bars_of_success_rates_stand_at_their_task(root):
    axis = make_figure("success_rate", root, CFG).axes[0]
    heights = sorted(
        round(y, 6) for line in axis.get_lines() for y in line.get_ydata() if 0 <= y <= 1
    )
    bars = sorted(round(patch.get_height(), 6) for patch in axis.patches)
    wanted = sorted(round(expect(*key_of(policy, task))[0], 6) for policy in WINS for task in TASKS)
    assert bars == wanted or set(wanted) <= set(heights)


def test_the_comparison_puts_each_published_number_next_to_its_own(root):
    table = make_table("comparison", root, CFG).csv
    grid = read_published("generalization")
    checked = 0
    for row in table[table["part"] == "grid"].to_dict("records"):
        theirs = grid[row["train_task"], row["eval_task"]]
        wanted = expect("sft_grpo", row["train_task"], row["eval_task"])
        assert (row["sr"], row["asat"], row["asst"]) == pytest.approx(wanted)
        assert row["published_sr"] == float(theirs["sr"]) and row["published_asat"] == float(
            theirs["asat"]
        )
        checked += 1
    assert checked == 16
    printed = read_published("table1_main")
    for row in table[table["part"] == "main"].to_dict("records"):
        theirs = printed.get((row["eval_task"], row["published_model"]))
        if theirs:
            assert row["published_sr"] == float(theirs["sr"]) and row["published_asat"] == float(
                theirs["asat"]
            )
        if isinstance(row["policy"], str):
            assert row["sr"] == pytest.approx(expect(*key_of(row["policy"], row["eval_task"]))[0])


def test_gains_are_of_the_two_policies_on_the_same_task(root):
    table = make_table("gains", root, CFG).csv.set_index(["policy", "over", "task"])
    assert len(table) == 3 * len(TASKS)
    for policy, over in (("sft", "base"), ("sft_grpo", "sft"), ("sft_grpo", "base")):
        for number, task in enumerate(TASKS):
            row = table.loc[policy, over, task]
            better, worse = (expect(*key_of(side, task))[0] for side in (policy, over))
            assert row["gain"] == pytest.approx(better - worse)
            better, worse = (SAMPLED_WINS[side, 1][number] for side in (policy, over))
            assert row["sampled_gain"] == pytest.approx((better - worse) / WORLDS)
            for before, kind, degree in (
                ("", "episodes", ""),
                ("sampled_", "episodes_sampled", "T1/"),
            ):
                won, lost = (
                    read_solved(
                        root / kind / "/".join(key_of(side, task)[:2]) / f"{degree}{task}.jsonl"
                    )
                    for side in (policy, over)
                )
                counts = len(won - lost), len(lost - won)
                assert (row[f"{before}won"], row[f"{before}lost"]) == counts
                pair = 2 * sum(math.comb(sum(counts), k) for k in range(min(counts) + 1))
                assert row[f"{before}p"] == pytest.approx(min(1, pair / 2 ** sum(counts)))
    assert table.loc[("sft_grpo", "sft", "burger"), "gain"] < 0


def read_solved(path):
    """Worlds of the episodes that succeed."""
    return {e["layout_hash"] for e in map(json.loads, path.open()) if e["success"]}


def test_sharpening_has_each_temperature_in_its_own_row(root):
    table = make_table("sharpening", root, CFG).csv
    table = table.set_index(["kind", "policy", "temperature", "task"])["value"]
    wanted = {
        (policy, temperature, task): wins[number] / WORLDS
        for (policy, temperature), wins in SAMPLED_WINS.items()
        for number, task in enumerate(TASKS)
        if policy != "base"
    }
    for policy, task in product(("sft", "sft_grpo"), TASKS):
        wanted[policy, 0, task] = expect(*key_of(policy, task))[0]
    found = {key[1:]: value for key, value in table.items() if key[0] == "sr"}
    assert found == pytest.approx(wanted)
    for temperature, task in product((0, 0.3, 0.6, 1), TASKS):
        gain = wanted["sft_grpo", 1, task] - wanted["sft", temperature, task]
        assert table["gain", "sft", temperature, task] == pytest.approx(gain)


def test_failures_lie_within_or_beyond_the_tasks_own_bound(root):
    """The shortest plans are within the bound of every task, and the tasks' bounds differ."""
    table = make_table("starts", root, CFG).csv.set_index(["policy", "task", "part"])
    for policy, task in product(("sft", "sft_grpo"), TASKS):
        solved = CELLS[key_of(policy, task)][0]
        assert table.loc[(policy, task, "within"), "failures"] == WORLDS - solved
        assert table.loc[(policy, task, "beyond"), "kitchens"] == 0


def test_macros_quote_their_own_cell(macros):
    for policy, task in product(WINS, TASKS):
        name = "".join(part.title() for part in f"{policy}_{task}".split("_"))
        sr, asat, asst = expect(*key_of(policy, task))
        assert macros[f"Sr{name}"].startswith(f"{sr:.2f}")
        assert macros[f"Asat{name}"].startswith(f"{asat:.1f}")
        assert macros[f"Asst{name}"].startswith(f"{asst:.1f}" if asst else "--")
    printed = read_published("table1_main")
    for task in TASKS:
        theirs = printed[task, "Qwen2.5-1.5B + SFT + GRPO"]
        name = "".join(part.title() for part in task.split("_"))
        assert macros[f"PubSrSftGrpo{name}"] == f"{float(theirs['sr']):.2f}"
        assert macros[f"PubAsatSftGrpo{name}"] == f"{float(theirs['asat']):.1f}"


def test_verdicts_count_what_the_cells_say(macros, root):
    # By hand, Agresti and Min's interval: GRPO's gain of 11 to 13 of 40 worlds is above zero where few are lost.
    gains = make_table("gains", root, CFG).csv
    over_sft = gains[gains["over"] == "sft"]
    helps, harms = sum(over_sft["gain_low"] > 0), sum(over_sft["gain_high"] < 0)
    assert sum(over_sft["gain"] > 0) == 3 >= helps, "points alone would say no less"
    assert macros["VerdictGrpoHelps"] == f"on {helps or 'none'} of the 4 tasks"
    assert macros["VerdictGrpoHarms"] == f"on {harms or 'none'} of the 4 tasks"
    assert macros["VerdictSftHelps"] == "on 4 of the 4 tasks"
    ordering = f"on {helps or 'none'} of the 4 tasks (reversed on {harms or 'none'}, open on "
    assert macros["VerdictOrdering"] == f"{ordering}{4 - helps - harms})"
    grid = {(a, b): expect("sft_grpo", a, b)[0] for a, b in product(TASKS, TASKS)}
    up = list(combinations(TASKS, 2))
    ends = {pair: binomtest(round(sr * WORLDS), WORLDS) for pair, sr in grid.items()}
    ends = {pair: test.proportion_ci(method="wilson") for pair, test in ends.items()}
    # Newcombe's lower end: the difference less the root of both squared half-widths.
    lows = [
        grid[b, a]
        - grid[a, b]
        - math.hypot(grid[b, a] - ends[b, a].low, ends[a, b].high - grid[a, b])
        for a, b in up
    ]
    stronger = sum(low > 0 for low in lows)
    assert all(grid[b, a] > grid[a, b] for a, b in up) and stronger == 6
    assert macros["VerdictDownBeatsUp"] == f"in {stronger} of the 6 pairs of tasks"
    mean_down = sum(grid[b, a] for a, b in up) / 6
    mean_up = sum(grid[a, b] for a, b in up) / 6
    assert macros["GridMeanDown"].startswith(f"{mean_down:.2f}")
    assert macros["GridMeanUp"].startswith(f"{mean_up:.2f}")
    published = {pair: float(row["sr"]) for pair, row in read_published("generalization").items()}
    assert macros["PubGridMeanDown"].startswith(f"{sum(published[b, a] for a, b in up) / 6:.2f}")
    assert macros["PubGridMeanUp"].startswith(f"{sum(published[a, b] for a, b in up) / 6:.2f}")
    assert macros["BestTask"] == "double cheese burger" and macros["WorstTask"] == "cheese sandwich"
    single = [
        (100 + CELLS[key_of("sft_grpo", t)][1]) > (100 + CELLS[key_of("sft", t)][1]) for t in TASKS
    ]
    assert macros["VerdictSingleTurn"] == f"on {sum(single)} of the 4 tasks" or all(single)
    fewer = [expect(*key_of("sft_grpo", t))[1] < expect(*key_of("sft", t))[1] for t in TASKS]
    deviations = [measure_saving(root, task) for task in TASKS]
    sure = sum(z > NormalDist().inv_cdf(0.975) for z in deviations)
    assert 0 < sure < sum(fewer) and macros["VerdictFewerSteps"] == f"on {sure} of the 4 tasks"


def measure_saving(root, task):
    """Steps that SFT+GRPO saves against SFT, world by world, in standard errors of their mean."""
    charged = [
        {
            e["layout_hash"]: e["steps"] if e["success"] else TIMEOUTS[task]
            for e in map(json.loads, (root / "episodes" / policy / task / f"{task}.jsonl").open())
        }
        for policy in ("sft", "sft_grpo")
    ]
    saved = [steps - charged[1][world] for world, steps in charged[0].items()]
    z = mean(saved) / (stdev(saved) / math.sqrt(len(saved)))
    assert abs(abs(z) - 1.96) > 0.2, "clear enough for another interval than the bootstrap's"
    return z


def test_every_setting_of_a_task_is_printed_as_that_tasks():
    for task in TASKS:
        assert (CFG.timeout_of(task), CFG.bound_of(task)) == (TIMEOUTS[task], BOUNDS[task])
        assert (CFG.task(task).timeout, CFG.task(task).bound) == (TIMEOUTS[task], BOUNDS[task])


def test_cut_replies_are_shown_on_the_page_where_there_are_any(root, tmp_path):
    table = make_table("main", root, CFG)
    assert ">Cut<" in render_html(table.specs[0], table.csv, "main") and "Cut" not in render_latex(
        table
    )
    none = table.csv.assign(cut_rate=0.0)
    assert ">Cut<" not in render_html(table.specs[0], none, "main")
