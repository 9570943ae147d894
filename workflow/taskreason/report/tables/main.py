"""The main tables: every policy of the paper on every task, and on one; below them the grid over tasks.

A row of a file is one training; where there are several seeds the paper prints them pooled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from taskreason.report.inputs import Key
from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.results import Results
from taskreason.report.tables.spec import (
    COUNT,
    RATE,
    SHARE,
    STEPS,
    Column,
    Spec,
    Table,
    columns,
    name,
)

MAIN_COLUMNS = [
    *("task", "policy", "model", "seed", "episodes", "sr", "sr_low", "sr_high", "asat", "asst"),
    *("minimal_rate", "excess_steps", "invalid_rate", "malformed_rate"),
    "single_turn_optimal_rate",
]
GRID_COLUMNS = [
    *("train_task", "eval_task", "seed", "episodes", "sr", "sr_low", "sr_high", "asat", "asst"),
]
TASK = name("task", "Task", task_title)
POLICY = name("policy", "Policy", label_policy)
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
GRID = Spec(
    names=[name("train_task", "Trained on", task_title), SEED],
    values=[SR],
    across=name("eval_task", "Evaluated on", task_title),
)
SPECS = {
    "main": [MAIN],
    "main_task": [replace(MAIN, names=MAIN.names[1:])],
    "generalization": [replace(GRID, values=[SR, ASAT, ASST], down=True)],
    "generalization_sr": [GRID],
    "generalization_asat": [replace(GRID, values=[ASAT])],
    "generalization_asst": [replace(GRID, values=[ASST])],
}


def make_main(results: Results) -> Table:
    """Every policy on every task; the bootstrap interval of ASAT is in print alone."""
    tasks = [task for task in results.tasks if task in results.worlds]
    keys = [results.key(policy, task) for task in tasks for policy in results.main_policies]
    return _make(results, keys, MAIN_COLUMNS, SPECS["main" if len(tasks) > 1 else "main_task"])


def make_grid(results: Results, name: str = "generalization") -> Table:
    """The fully trained policy of every task on every task."""
    keys = [
        results.key(GRID_POLICY, task, train_task)
        for train_task in results.tasks
        for task in results.tasks
    ]
    return _make(results, keys, GRID_COLUMNS, SPECS[name])


def _make(
    results: Results, keys: Iterable[Key], columns: list[str], specs: Sequence[Spec]
) -> Table:
    keys = list(keys)
    cells = [cell for key in keys for cell in results.seeds[key]]
    pooled = pd.DataFrame([results.pooled[key].to_row() for key in keys])
    # The bootstrap has no width where every episode took the same number of steps.
    varied = pooled["asat_low"] < pooled["asat_high"]
    ends = {end: pooled[end].where(varied) for end in ("asat_low", "asat_high")}
    csv = pd.DataFrame([cell.to_row() for cell in cells], columns=columns)
    return Table(csv, specs, pooled[columns].assign(**ends))
