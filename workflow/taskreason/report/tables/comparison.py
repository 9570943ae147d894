"""The table that sets this run against the paper: the main table and the grid, every published cell.

Published rows without a counterpart here (larger prompted models) are shown alone. The paper prints no intervals; those
of its success rates are computed from its number of episodes.
"""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.published import PUBLISHED_MODELS, Published, PublishedCell, load_published
from taskreason.report.results import Cell, Results
from taskreason.report.tables.spec import RATE, STEPS, Column, Row, Spec, Table, name

METRICS = ("sr", "sr_low", "sr_high", "asat", "asst")
COLUMNS = [
    *("part", "train_task", "eval_task", "policy", "model", "published_model"),
    *METRICS,
    *(f"published_{metric}" for metric in METRICS),
]


def _mark_odd(row: Row) -> str:
    """A published ASST without a success is shown as printed; the caption explains the mark."""
    return "a" if row["published_asst"] and not float(row["published_sr"]) else ""


VALUES = [
    column
    for key, style in (("sr", RATE), ("asat", STEPS), ("asst", STEPS))
    for column in (
        Column(key, f"{key.upper()}|ours", style),
        Column(
            f"published_{key}",
            f"{key.upper()}|published",
            style,
            mark=_mark_odd if key == "asst" else None,
        ),
    )
]


def _select(part: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["part"] == part]


COMPARISON = Spec(
    names=[name("eval_task", "Task", task_title), name("policy", "Policy", label_policy)],
    values=[name("published_model", "Published model"), *VALUES],
    select=partial(_select, "main"),
)
COMPARISON_GRID = Spec(
    names=[
        name("train_task", "Trained on", task_title),
        name("eval_task", "Evaluated on", task_title),
    ],
    values=VALUES,
    select=partial(_select, "grid"),
)
SPECS = {"comparison": [COMPARISON, COMPARISON_GRID]}


def make_comparison(results: Results) -> Table:
    """Main table and grid, one published cell a row."""
    published = load_published(results.cfg.env)
    rows = [*_compare_main(results, published), *_compare_grid(results, published)]
    return Table(pd.DataFrame(rows, columns=COLUMNS), SPECS["comparison"])


def _compare_main(results: Results, published: Published) -> Iterator[dict]:
    """The published models in the order of print, each with our policy, if any; policies of our own come last."""
    ours = {PUBLISHED_MODELS[policy]: policy for policy in results.main_policies}
    for task in results.tasks:
        printed = [model for model in published.models if (task, model) in published.main]
        pairs = [(ours.get(model), model) for model in printed]
        pairs += [(policy, None) for model, policy in ours.items() if model not in printed]
        for policy, model in pairs:
            cell, theirs = policy and results.cell(policy, task), published.main.get((task, model))
            place = {"part": "main", "eval_task": task, "policy": policy, "published_model": model}
            yield place | _compare(cell, theirs, results, published)


def _compare_grid(results: Results, published: Published) -> Iterator[dict]:
    for train_task in results.tasks:
        for task in results.tasks:
            cell = results.cell(GRID_POLICY, task, train_task)
            theirs = published.grid.get((train_task, task))
            place = {"part": "grid", "train_task": train_task, "eval_task": task}
            place["published_model"] = PUBLISHED_MODELS[GRID_POLICY] if theirs else None
            yield place | {"policy": GRID_POLICY} | _compare(cell, theirs, results, published)


def _compare(
    cell: Cell | None, theirs: PublishedCell | None, results: Results, published: Published
) -> dict:
    row = cell.to_row() if cell else {}
    record = {key: row.get(key) for key in ("model", *METRICS)}
    if theirs:
        interval = published.interval(theirs, results.cfg.report.confidence)
        values = theirs.sr, *interval, theirs.asat, theirs.asst
        record |= {f"published_{key}": v for key, v in zip(METRICS, values, strict=True)}
    return record
