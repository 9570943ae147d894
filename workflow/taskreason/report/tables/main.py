"""The main tables: every policy of the paper on every task, and on one; the grid over tasks; both against the paper.

A row of a file is one training; where there are several seeds the paper prints them pooled. Published rows without a
counterpart here (larger prompted models) are shown alone. The paper prints no intervals; those of its success rates are
computed from its number of episodes.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from taskreason.report.inputs import Key
from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.published import PUBLISHED_MODELS, PublishedCell, load_published
from taskreason.report.results import Cell, Results
from taskreason.report.tables.spec import (
    COUNT,
    RATE,
    SHARE,
    STEPS,
    Column,
    Row,
    Spec,
    Table,
    columns,
    name,
)

METRICS = ("sr", "sr_low", "sr_high", "asat", "asst")
MAIN_COLUMNS = [
    *("task", "policy", "model", "seed", "episodes", *METRICS, "minimal_rate", "excess_steps"),
    *("invalid_rate", "malformed_rate", "single_turn_optimal_rate"),
]
GRID_COLUMNS = ["train_task", "eval_task", "seed", "episodes", *METRICS]
COMPARISON_COLUMNS = [
    *("part", "train_task", "eval_task", "policy", "model", "published_model"),
    *(*METRICS, *(f"published_{metric}" for metric in METRICS)),
]
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
        *(SR, ASAT, ASST),
        *columns(RATE, minimal_rate="Shortest plans"),
        Column("excess_steps", "Steps over optimal", SHARE, screen=True),
        *columns(RATE, invalid_rate="Invalid", malformed_rate="Malformed"),
        *columns(RATE, single_turn_optimal_rate="Single turn"),
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
SPECS = {
    "main": [MAIN],
    "main_task": [replace(MAIN, names=MAIN.names[1:])],
    "generalization": [replace(GRID, values=[SR, ASAT, ASST], down=True)],
    "generalization_sr": [GRID],
    "generalization_asat": [replace(GRID, values=[ASAT])],
    "generalization_asst": [replace(GRID, values=[ASST])],
    "comparison": [COMPARISON, COMPARISON_GRID],
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
    csv = pd.DataFrame([cell.to_row() for key in keys for cell in results.seeds[key]])
    pooled = pd.DataFrame([results.pooled[key].to_row() for key in keys])
    # The bootstrap has no width where every episode took the same number of steps.
    varied = pooled["asat_low"] < pooled["asat_high"]
    ends = {end: pooled[end].where(varied) for end in ("asat_low", "asat_high")}
    return Table(csv[columns], specs, pooled[columns].assign(**ends))


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
    ours = {PUBLISHED_MODELS[policy]: policy for policy in results.main_policies}
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
