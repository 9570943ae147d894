"""Two results folders side by side."""

from pathlib import Path

import pandas as pd

from taskreason.durability.errors import UserError

TABLES = {
    "main": ["task", "policy"],
    "generalization": ["train_task", "eval_task"],
}
"""The tables that are compared, or kept as a reference, and what names a row of each."""
RATES = ["sr", "sr_low", "sr_high", "asat"]


def compare(first: Path, second: Path) -> str:
    """SR and ASAT of two results folders, row by row; a star marks rows whose intervals of SR do not touch."""
    parts = []
    for name, keys in TABLES.items():
        files = [folder / "tables" / f"{name}.csv" for folder in (first, second)]
        both = pd.concat(
            [_read_means(file, keys) for file in files], axis=1, join="inner", keys=["A", "B"]
        )
        if both.empty:
            raise UserError(f"{files[1]}: has no row of {first}; compare runs of the same tasks.")
        a, b = both["A"], both["B"]
        apart = (a["sr_low"] > b["sr_high"]) | (b["sr_low"] > a["sr_high"])
        shown = pd.DataFrame(
            {
                "SR A": _print_rates(a),
                "SR B": _print_rates(b),
                "B - A": (b["sr"] - a["sr"]).map("{:+.2f}".format),
                "": apart.map({True: "*", False: ""}),
                "ASAT A": a["asat"].map("{:.1f}".format),
                "ASAT B": b["asat"].map("{:.1f}".format),
            }
        )
        parts.append(shown.reset_index().to_string(index=False))
    head = f"A: {first}\nB: {second}\n*: the intervals of SR do not touch"
    return "\n\n".join([head, *parts])


def _print_rates(rates: pd.DataFrame) -> list[str]:
    ends = rates[["sr", "sr_low", "sr_high"]].itertuples(index=False)
    return [f"{sr:.2f} ({low:.2f}-{high:.2f})" for sr, low, high in ends]


def _read_means(path: Path, keys: list[str]) -> pd.DataFrame:
    """Rates of every row, their means over seeds."""
    try:
        return pd.read_csv(path).groupby(keys, sort=False)[RATES].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of this report; give a results folder of a finished run."
        ) from None
