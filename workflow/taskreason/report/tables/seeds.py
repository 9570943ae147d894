"""The table that sets the trainings of every seed side by side: does a conclusion hold in each of them?

Success rates of the trained policies, GRPO's gains paired by kitchen, and how far a training carries down the list of
tasks, once per seed and, where there are several, once over all of them.
"""

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.render.latex import escape, format_rate, make_row, make_tabular
from taskreason.report.results import Results, split_trainings
from taskreason.report.tables.cells import Table, head_rate, print_gain, print_success

COLUMNS = ["row", "seed", "task", "value", "low", "high"]
TRAINED = ("sft", "sft_longer", GRID_POLICY)
DOWNWARD = "down"


def make_seeds(results: Results) -> Table:
    """One row a quantity and seed, one column a task; `down` is the lowest SR on a task and those before it."""
    last = results.tasks[-1]
    views = {str(view.cell(GRID_POLICY, last).seed): view for view in split_trainings(results)}
    if len(views) > 1:
        views["all"] = results
    trained = [policy for policy in TRAINED if policy in results.policies]
    blocks = [(policy, label_policy(policy), _list_success) for policy in trained]
    for worse in (policy for policy in trained if policy != GRID_POLICY):
        name = f"{GRID_POLICY} - {worse}"
        blocks.append((name, f"Gain over {label_policy(worse)}", _list_gains))
    blocks.append((DOWNWARD, "Lowest, to simpler tasks", _list_downward))
    rows = [make_row(head_rate("SR", results), "Seed", *map(task_title, results.tasks))]
    records = []
    for name, label, measure in blocks:
        rows.append(r"\midrule")
        for seed, view in views.items():
            values, printed = measure(view, name)
            rows.append(make_row(escape(label), seed, *printed))
            label = ""
            for task, value in zip(results.tasks, values, strict=True):
                records.append((name, seed, task, *value))
    return Table(
        pd.DataFrame(records, columns=COLUMNS),
        make_tabular("ll" + "l" * len(results.tasks), rows),
    )


def _list_success(view: Results, policy: str) -> tuple[list, list[str]]:
    """SR with its interval of a policy on each task that it was trained on."""
    cells = [view.cell(policy, task) for task in view.tasks]
    values = [(cell.metrics.sr, cell.metrics.sr_low, cell.metrics.sr_high) for cell in cells]
    return values, [print_success(cell) for cell in cells]


def _list_gains(view: Results, name: str) -> tuple[list, list[str]]:
    """Gain in SR with its interval on each task, of the pair of policies in 'BETTER - WORSE'."""
    gains = [view.gain(*name.split(" - "), task) for task in view.tasks]
    return gains, [print_gain(*gain) for gain in gains]


def _list_downward(view: Results, name: str) -> tuple[list, list[str]]:
    """The lowest SR that training on each task gives on that task and on simpler ones (those listed before it)."""
    lowest = [
        min(view.cell(GRID_POLICY, easy, task).metrics.sr for easy in view.tasks[: number + 1])
        for number, task in enumerate(view.tasks)
    ]
    return [(rate, None, None) for rate in lowest], [format_rate(rate) for rate in lowest]
