"""The table that says what the results are worth: every policy beside chance, a rule of thumb and longer SFT.

Below the success rates stand the gains of GRPO, paired by kitchen, over the SFT that it started from and over SFT that
saw as many replies as GRPO did, and over the models that are evaluated without training.
"""

import pandas as pd

from taskreason.report.labels import GRID_POLICY, is_compared, label_policy, task_title
from taskreason.report.render.latex import escape, make_row, make_tabular
from taskreason.report.results import Results
from taskreason.report.tables.cells import Table, head_rate, print_gain, print_success

COLUMNS = ["row", "task", "episodes", "sr", "sr_low", "sr_high", "gain", "gain_low", "gain_high"]
ORDER = ("random", "greedy", "base", "sft", "sft_longer", "sft_grpo", "expert")


def make_baselines(results: Results) -> Table:
    """One row a policy, one a gain; one column a task."""
    listed = sorted(results.policies, key=lambda policy: ORDER.index(policy.partition(":")[0]))
    records = []
    rows = [make_row(head_rate("SR", results), *map(task_title, results.tasks)), r"\midrule"]
    for policy in listed:
        cells = [results.cell(policy, task) for task in results.tasks]
        rows.append(make_row(escape(label_policy(policy)), *map(print_success, cells)))
        for cell in cells:
            metrics = cell.metrics
            records.append(
                {
                    "row": policy,
                    "task": cell.eval_task,
                    "episodes": metrics.episodes,
                    "sr": metrics.sr,
                    "sr_low": metrics.sr_low,
                    "sr_high": metrics.sr_high,
                }
            )
    rows.append(r"\midrule")
    for worse in ("sft", "sft_longer", *filter(is_compared, listed)):
        if worse not in results.policies:
            continue
        printed = []
        for task in results.tasks:
            gain, low, high = results.gain(GRID_POLICY, worse, task)
            records.append(
                {
                    "row": f"{GRID_POLICY} - {worse}",
                    "task": task,
                    "gain": gain,
                    "gain_low": low,
                    "gain_high": high,
                }
            )
            printed.append(print_gain(gain, low, high))
        label = f"{label_policy(GRID_POLICY)} over {label_policy(worse)}"
        rows.append(make_row(escape(label), *printed))
    return Table(
        pd.DataFrame(records, columns=COLUMNS),
        make_tabular("l" + "l" * len(results.tasks), rows),
    )
