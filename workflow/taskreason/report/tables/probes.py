"""The table of what the base model knows before training: looking things up, and single chores."""

from pathlib import Path

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.report.render.latex import make_row, make_tabular
from taskreason.report.results import Results
from taskreason.report.tables.cells import Table, head_rate, print_rate
from taskreason.report.training_logs import read_json
from taskreason.rollouts.metrics import wilson_interval

PROBES = {
    "at": "Where is an item?",
    "under": "What is an item on?",
    "on": "What is on a station?",
    "which": "Which are of a kind, or empty?",
    "reading": "How far do stacks follow a list?",
    "reading_again": "Same, the lowest kind again",
    "chore_valid": "Chore: possible action",
    "chore_optimal": "Chore: optimal action",
    "chore_expert": "Chore: the expert's action",
    "chore_thought": "Chore: the expert's every word",
}


def make_probes(results: Results) -> Table:
    """One row a probe: right answers out of those asked, with the Wilson interval."""
    path = Path(results.root) / "probes" / "base.json"
    counts = read_json(path)
    records, rows = [], []
    for name, label in PROBES.items():
        try:
            right, asked = counts[name]["right"], counts[name]["asked"]
        except (KeyError, TypeError):
            raise UserError(
                f"{path}: lacks the counts of '{name}'; delete it and run snakemake again"
            ) from None
        low, high = wilson_interval(right, asked, results.confidence)
        rate = right / asked if asked else None
        records.append(
            {"probe": name, "asked": asked, "right": right, "rate": rate, "low": low, "high": high}
        )
        rows.append(make_row(label, str(asked), print_rate(rate, low, high)))
    header = make_row("Probe", "Asked", head_rate("Right", results))
    return Table(pd.DataFrame(records), make_tabular("lrl", [header, r"\midrule", *rows]))
