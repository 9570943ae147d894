"""The tables that say what the results are worth: every policy and control, GRPO's gains, and training by training.

Gains of GRPO are paired by world: over the SFT that it started from, over SFT that saw the number of replies that GRPO
did, and over the models that are evaluated without training.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from taskreason.report.labels import GRID_POLICY, TRAINED, is_compared, label_policy
from taskreason.report.results import Results, split_trainings
from taskreason.report.tables.main import TASK
from taskreason.report.tables.spec import RATE, SIGNED, Column, Row, Spec, Table, name, spread

BASELINE_COLUMNS = [
    *("row", "task", "episodes", "sr", "sr_low", "sr_high", "gain", "gain_low", "gain_high"),
]
SEED_COLUMNS = ["row", "seed", "task", "value", "low", "high"]
ORDER = ("random", "", "base", "sft", "sft_longer", "sft_grpo", "expert")
"""Of policies in print; rules of thumb have the empty place."""
DOWNWARD = "down"
"""Names the row with the lowest SR on a task and on simpler ones."""


def name_gain(worse: str) -> str:
    """The row of GRPO's gain over a policy."""
    return f"{GRID_POLICY} - {worse}"


def _label_kind(row: str) -> str:
    return "Gain over" if " - " in row else "Lowest SR" if row == DOWNWARD else "SR"


def _label_row(row: str) -> str:
    return "to simpler tasks" if row == DOWNWARD else label_policy(row.rpartition(" - ")[2])


def _style(row: Row) -> str:
    return SIGNED if " - " in row["row"] else RATE


def _merge_gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Success rates and gains in the same columns."""
    found = {
        f"value{end}": rows[f"sr{end}"].where(rows["sr"] != "", rows[f"gain{end}"])
        for end in ("", "_low", "_high")
    }
    return rows.assign(**found)


NAMES = [name("row", "", _label_kind), name("row", "Policy", _label_row)]
ACROSS = name("task", "", TASK.words)
VALUE = Column("value", "SR", _style)
SPECS = {
    "baselines": [Spec(NAMES, [VALUE], ACROSS, select=_merge_gains)],
    "seeds": [Spec([*NAMES, name("seed", "Seed")], [replace(VALUE, bounds="")], ACROSS)],
}


def make_baselines(results: Results) -> Table:
    """One row a policy and task, one a gain and task."""

    def rank(policy: str) -> int:
        kind = policy.partition(":")[0]
        return ORDER.index(kind if kind in ORDER else "")

    listed = sorted(results.policies, key=rank)
    records = [
        {"row": policy} | results.cell(policy, task).to_row()
        for policy, task in product(listed, results.tasks)
    ]
    under = [policy for policy in ("sft", "sft_longer") if policy in listed]
    for worse, task in product([*under, *filter(is_compared, listed)], results.tasks):
        gain = spread({"gain": results.gain(GRID_POLICY, worse, task)})
        records.append({"row": name_gain(worse), "task": task} | gain)
    return Table(pd.DataFrame(records, columns=BASELINE_COLUMNS), SPECS["baselines"])


def make_seeds(results: Results) -> Table:
    """Success rates of the trained policies, gains and how far a training carries, once a seed and once over all."""
    last = results.tasks[-1]
    views = {str(view.cell(GRID_POLICY, last).seed): view for view in split_trainings(results)}
    if len(views) > 1:
        views["all"] = results
    trained = [policy for policy in TRAINED if policy in results.policies]
    gains = [name_gain(policy) for policy in trained if policy != GRID_POLICY]
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
