"""The tables of success rates: every policy of the paper and the controls that are trained on every task, the grid over
tasks, the paper's rows against its numbers, all policies and controls, and training by training.

A row of a main file is one training; where there are several seeds the paper prints them pooled. SR is that of greedy
episodes, and beside it that of episodes with sampled replies. Published rows without a counterpart here (larger
prompted models) are shown alone; the paper prints no intervals, so they are computed from its number of episodes.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pandas as pd

from taskreason.report.inputs import Key
from taskreason.report.labels import GRID_POLICY, TRAINED, label_policy, task_title
from taskreason.report.published import PUBLISHED_MODELS, PublishedCell, load_published
from taskreason.report.results import Cell, Results, split_trainings
from taskreason.report.tables.spec import (
    COUNT,
    RATE,
    SHARE,
    SIGNED,
    STEPS,
    TEMPERATURE,
    Column,
    Row,
    Spec,
    Table,
    columns,
    name,
    spread,
)

METRICS = ("sr", "sr_low", "sr_high", "asat", "asst")
MAIN_COLUMNS = [
    *("task", "policy", "model", "seed", "episodes", *METRICS, "minimal_rate", "excess_steps"),
    *("invalid_rate", "malformed_rate", "single_turn_optimal_rate", "cut_rate"),
    *("temperature", "sampled_sr", "sampled_sr_low", "sampled_sr_high"),
]
GRID_COLUMNS = ["train_task", "eval_task", "seed", "episodes", *METRICS]
COMPARISON_COLUMNS = [
    *("part", "train_task", "eval_task", "policy", "model", "published_model"),
    *(*METRICS, *(f"published_{metric}" for metric in METRICS)),
]
BASELINE_COLUMNS = ["policy", "task", "episodes", *METRICS[:3]]
SEED_COLUMNS = ["row", "seed", "task", "value", "low", "high"]
ORDER = ("random", "", "base", "grpo", "sft", "sft_longer", "sft_grpo", "expert")
"""Of policies in print; rules of thumb have the empty place."""
DOWNWARD = "down"
"""Names the row with the lowest SR on a task and on simpler ones."""
TASK = name("task", "Task", task_title)
POLICY = name("policy", "Policy", label_policy)
TRAINED_ON = name("train_task", "Trained on", task_title)
EVALUATED_ON = name("eval_task", "Evaluated on", task_title)
SEED = name("seed", "Seed", several=True)
SR, ASAT, ASST = Column("sr", "SR"), *columns(STEPS, asat="ASAT", asst="ASST")
MAIN = Spec(
    names=[TASK, POLICY, SEED],
    values=[
        Column("episodes", "Episodes", COUNT, screen=True),
        *columns(RATE, sr="SR|greedy", sampled_sr="SR|sampled"),
        Column("temperature", "SR|at T", TEMPERATURE, screen=True),
        *(ASAT, ASST),
        *columns(RATE, minimal_rate="Shortest plans"),
        Column("excess_steps", "Steps over optimal", SHARE, screen=True),
        *columns(RATE, invalid_rate="Invalid"),
        Column("malformed_rate", "Malformed", RATE, screen=True),
        *columns(RATE, single_turn_optimal_rate="Single turn"),
        Column("cut_rate", "Cut", RATE, screen=True, several=True),
    ],
)
GRID = Spec(names=[TRAINED_ON, SEED], values=[SR], across=EVALUATED_ON)


def _mark_odd(row: Row) -> str:
    """A published ASST without a success is shown as printed; the caption explains the mark."""
    return "a" if row["published_asst"] and not float(row["published_sr"]) else ""


PAIRS = [
    replace(column, key=f"{side}{column.key}", title=f"{column.title}|{title}")
    for column in (SR, ASAT, ASST)
    for side, title in (("", "ours"), ("published_", "published"))
]
PAIRS[-1] = replace(PAIRS[-1], mark=_mark_odd)
COMPARISON = Spec(
    names=[replace(TASK, key="eval_task"), POLICY],
    values=[name("published_model", "Published model"), *PAIRS],
    select=lambda rows: rows[rows["part"] == "main"],
)
COMPARISON_GRID = Spec(
    names=[TRAINED_ON, EVALUATED_ON],
    values=PAIRS,
    select=lambda rows: rows[rows["part"] == "grid"],
)


def _label_kind(row: str) -> str:
    return "Gain over" if " - " in row else "Lowest SR" if row == DOWNWARD else "SR"


def _label_row(row: str) -> str:
    return "to simpler tasks" if row == DOWNWARD else label_policy(row.rpartition(" - ")[2])


def _style(row: Row) -> str:
    return SIGNED if " - " in row["row"] else RATE


NAMES = [name("row", "", _label_kind), name("row", "Policy", _label_row)]
ACROSS = name("task", "", TASK.words)
VALUE = Column("value", "SR", _style)
SPECS = {
    "main": [MAIN],
    "main_task": [replace(MAIN, names=MAIN.names[1:])],
    "generalization": [replace(GRID, values=[SR, ASAT, ASST], down=True)],
    "generalization_sr": [GRID],
    "generalization_asat": [replace(GRID, values=[ASAT])],
    "generalization_asst": [replace(GRID, values=[ASST])],
    "comparison": [COMPARISON, COMPARISON_GRID],
    "baselines": [Spec([POLICY], [SR], ACROSS)],
    "seeds": [Spec([*NAMES, name("seed", "Seed")], [replace(VALUE, bounds="")], ACROSS)],
}


def make_main(results: Results) -> Table:
    """Every policy on every task; the bootstrap interval of ASAT is in print alone."""
    tasks = [task for task in results.tasks if task in results.worlds]
    keys = [results.key(policy, task) for task in tasks for policy in results.main_policies]
    return _make(results, keys, MAIN_COLUMNS, SPECS["main" if len(tasks) > 1 else "main_task"])


def make_grid(results: Results, name: str = "generalization") -> Table:
    """The fully trained policy of every task on every task."""
    pairs = product(results.tasks, repeat=2)
    keys = [results.key(GRID_POLICY, task, train_task) for train_task, task in pairs]
    return _make(results, keys, GRID_COLUMNS, SPECS[name])


def _make(
    results: Results, keys: Sequence[Key], columns: Sequence[str], specs: Sequence[Spec]
) -> Table:
    cells = [cell for key in keys for cell in results.seeds[key]]
    csv = pd.DataFrame([_describe(results, cell) for cell in cells])
    pooled = pd.DataFrame([_describe(results, results.pooled[key]) for key in keys])
    # The bootstrap has no width where every episode took the same number of steps.
    varied = pooled["asat_low"] < pooled["asat_high"]
    ends = {end: pooled[end].where(varied) for end in ("asat_low", "asat_high")}
    return Table(
        csv.reindex(columns=columns), specs, pooled.reindex(columns=columns).assign(**ends)
    )


def _describe(results: Results, cell: Cell) -> dict[str, Any]:
    """A row; with SR of the same training's sampled episodes, where there are any."""
    drawn = results.find_sampled(cell)
    if drawn is None:
        return cell.to_row()
    sampled = spread({"sampled_sr": drawn.metrics.rate})
    return cell.to_row() | {"temperature": results.cfg.rollout.temperature} | sampled


def make_comparison(results: Results) -> Table:
    """Main table and grid, one published cell a row.

    The published models come in the order of print, each with our policy, if any, and policies of our own last.
    """
    published, rows = load_published(results.cfg.env), []

    def compare(cell: Cell | None, theirs: PublishedCell | None, model: str, **place) -> None:
        row = cell.to_row() if cell else {}
        if theirs:
            interval = published.interval(theirs, results.cfg.report.confidence)
            values = model, theirs.sr, *interval, theirs.asat, theirs.asst
            row |= {f"published_{k}": v for k, v in zip(("model", *METRICS), values, strict=True)}
        rows.append(row | place)

    models = dict.fromkeys(model for _, model in published.main)
    ours = {PUBLISHED_MODELS[policy]: policy for policy in results.published_policies}
    for task in results.tasks:
        printed = [model for model in models if (task, model) in published.main]
        for model in [*printed, *(model for model in ours if model not in printed)]:
            policy, theirs = ours.get(model), published.main.get((task, model))
            place = {"part": "main", "train_task": None, "eval_task": task, "policy": policy}
            compare(policy and results.cell(policy, task), theirs, model, **place)
    for pair in product(results.tasks, repeat=2):
        cell, theirs = results.cell(GRID_POLICY, *reversed(pair)), published.grid.get(pair)
        place = dict(zip(("train_task", "eval_task"), pair, strict=True)) | {"policy": GRID_POLICY}
        compare(cell, theirs, PUBLISHED_MODELS[GRID_POLICY], part="grid", **place)
    return Table(pd.DataFrame(rows, columns=COMPARISON_COLUMNS), SPECS["comparison"])


def make_baselines(results: Results) -> Table:
    """One row a policy and task, of greedy episodes; the tasks are side by side in print."""

    def rank(policy: str) -> int:
        kind = policy.partition(":")[0]
        return ORDER.index(kind if kind in ORDER else "")

    listed = sorted(results.policies, key=rank)
    records = [
        results.cell(policy, task).to_row() for policy, task in product(listed, results.tasks)
    ]
    return Table(pd.DataFrame(records, columns=BASELINE_COLUMNS), SPECS["baselines"])


def make_seeds(results: Results) -> Table:
    """Success rates of the trained policies, gains and how far a training carries, once a seed and once over all."""
    last = results.tasks[-1]
    views = {str(view.cell(GRID_POLICY, last).seed): view for view in split_trainings(results)}
    if len(views) > 1:
        views["all"] = results
    trained = [policy for policy in TRAINED if policy in results.policies]
    gains = [f"{GRID_POLICY} - {policy}" for policy in trained if policy != GRID_POLICY]
    records = [
        (row, seed, task, *_measure(view, row, task))
        for row in [*trained, *gains, DOWNWARD]
        for seed, view in views.items()
        for task in results.tasks
    ]
    return Table(pd.DataFrame(records, columns=SEED_COLUMNS), SPECS["seeds"])


def _measure(view: Results, row: str, task: str) -> Sequence[float | None]:
    """The value of a row of the table of seeds for a task, and its interval."""
    if row == DOWNWARD:
        # On the task itself and on simpler ones, which are those listed before it.
        easier = view.tasks[: view.tasks.index(task) + 1]
        return min(view.cell(GRID_POLICY, easy, task).metrics.sr for easy in easier), None, None
    return view.gain(*row.split(" - "), task) if " - " in row else view.cell(row, task).metrics.rate
