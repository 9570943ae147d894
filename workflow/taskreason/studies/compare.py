"""Two results folders side by side, table by table: success rates with their intervals, and steps.

Input: the tables of two finished runs; output: text for a terminal. Whether a run agrees with the reference results is
another question, judged world by world in `verify`.
"""

from pathlib import Path

import pandas as pd

from taskreason.durability.errors import UserError

TABLES = {"main": ["task", "policy"], "generalization": ["train_task", "eval_task"]}
"""The tables that are compared, and what names a row of each."""


def compare(first: Path, second: Path) -> str:
    """SR and ASAT of two results folders, row by row; a star marks rows whose intervals of SR do not touch."""
    parts = []
    for name, keys in TABLES.items():
        files = [folder / "tables" / f"{name}.csv" for folder in (first, second)]
        means = [_read_means(file, keys) for file in files]
        both = pd.concat(means, axis=1, join="inner", keys=["A", "B"])
        if both.empty:
            raise UserError(f"{files[1]}: has no row of {first}; compare runs of the same tasks.")
        a, b = both["A"], both["B"]
        apart = (a["sr_low"] > b["sr_high"]) | (b["sr_low"] > a["sr_high"])
        shown = {
            "SR A": a.apply(_print_rate, axis=1),
            "SR B": b.apply(_print_rate, axis=1),
            "B - A": (b["sr"] - a["sr"]).map("{:+.2f}".format),
            "": apart.map({True: "*", False: ""}),
            "ASAT A": a["asat"].map("{:.1f}".format),
            "ASAT B": b["asat"].map("{:.1f}".format),
        }
        parts.append(pd.DataFrame(shown).reset_index().to_string(index=False))
    head = f"A: {first}\nB: {second}\n*: the intervals of SR do not touch"
    return "\n\n".join([head, *parts])


def _print_rate(row: pd.Series) -> str:
    return f"{row.sr:.2f} ({row.sr_low:.2f}-{row.sr_high:.2f})"


def _read_means(path: Path, keys: list[str]) -> pd.DataFrame:
    """Rates of every row, their means over seeds."""
    try:
        rows = pd.read_csv(path).groupby(keys, sort=False)
        return rows[["sr", "sr_low", "sr_high", "asat"]].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of this report; give a results folder of a finished run."
        ) from None
