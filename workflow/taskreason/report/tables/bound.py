"""The table of where policies fail: in kitchens within and beyond the bound on the expert's trajectories.

A kitchen whose shortest plan is longer than its task's bound never enters training, so that the two halves tell a skill
that training did not bring from states that it did not show.
"""

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.render.latex import MISSING, escape, make_row, make_tabular
from taskreason.report.results import Results
from taskreason.report.tables.cells import Table, head_rate, print_rate
from taskreason.rollouts.metrics import summarise

SHOWN = ("sft", "sft_longer", GRID_POLICY)
SIDES = ("within", "beyond")


def split_at_bound(results: Results, policy: str, task: str) -> dict[str, pd.DataFrame]:
    """The policy's episodes on its task, in kitchens 'within' and 'beyond' the bound."""
    episodes = results.episodes[results.key(policy, task)]
    beyond = episodes["optimal_steps"] > results.bounds[task]
    return {"within": episodes[~beyond], "beyond": episodes[beyond]}


def make_bound(results: Results) -> Table:
    """One row a task and trained policy: kitchens, failures and SR with its interval on either side of the bound."""
    records, rows = [], []
    for task in results.tasks:
        rows.append(r"\midrule")
        policies = [policy for policy in SHOWN if results.cell(policy, task)]
        for policy in policies:
            cells = []
            for side, part in split_at_bound(results, policy, task).items():
                record = _count(results, task, part)
                records.append({"task": task, "policy": policy, "side": side} | record)
                cells += _print(record)
            title = task_title(task) if policy == policies[0] else ""
            rows.append(make_row(title, escape(label_policy(policy)), *cells))
    rate = head_rate("SR", results)
    header = [
        r" & & \multicolumn{3}{c}{Within the bound} & \multicolumn{3}{c}{Beyond it} \\",
        r"\cmidrule(lr){3-5}\cmidrule(l){6-8}",
        make_row("Task", "Policy", *["Kitchens", "Failures", rate] * len(SIDES)),
    ]
    return Table(pd.DataFrame(records), make_tabular("llrrlrrl", [*header, *rows]))


def _count(results: Results, task: str, part: pd.DataFrame) -> dict:
    kitchens, failures = part["layout_hash"].nunique(), int((~part["success"]).sum())
    counts = {"kitchens": kitchens, "episodes": len(part), "failures": failures}
    if part.empty:
        return counts | dict.fromkeys(("sr", "sr_low", "sr_high"))
    metrics = summarise(part, results.timeouts[task], results.confidence, str(results.root))
    return counts | {"sr": metrics.sr, "sr_low": metrics.sr_low, "sr_high": metrics.sr_high}


def _print(record: dict) -> list[str]:
    rate = MISSING
    if record["sr"] is not None:
        rate = print_rate(record["sr"], record["sr_low"], record["sr_high"])
    return [str(record["kitchens"]), str(record["failures"]), rate]
