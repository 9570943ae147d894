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
        left, right = (
            _read_means(folder / "tables" / f"{name}.csv", keys) for folder in (first, second)
        )
        both = left.merge(right, left_index=True, right_index=True, suffixes=("_a", "_b"))
        if both.empty:
            raise UserError(
                f"{second / 'tables' / f'{name}.csv'}: has no row of {first}; compare runs of the same tasks."
            )
        apart = (both["sr_low_a"] > both["sr_high_b"]) | (both["sr_low_b"] > both["sr_high_a"])
        shown = pd.DataFrame(
            {
                "SR A": [
                    f"{sr:.2f} ({low:.2f}-{high:.2f})" for sr, low, high in _list_rates(both, "a")
                ],
                "SR B": [
                    f"{sr:.2f} ({low:.2f}-{high:.2f})" for sr, low, high in _list_rates(both, "b")
                ],
                "B - A": [f"{gain:+.2f}" for gain in both["sr_b"] - both["sr_a"]],
                "": ["*" if far else "" for far in apart],
                "ASAT A": [f"{value:.1f}" for value in both["asat_a"]],
                "ASAT B": [f"{value:.1f}" for value in both["asat_b"]],
            },
            index=both.index,
        )
        parts.append(shown.reset_index().to_string(index=False))
    head = f"A: {first}\nB: {second}\n*: the intervals of SR do not touch"
    return "\n\n".join([head, *parts])


def _list_rates(both: pd.DataFrame, side: str):
    columns = [f"{key}_{side}" for key in ("sr", "sr_low", "sr_high")]
    return both[columns].itertuples(index=False)


def _read_means(path: Path, keys: list[str]) -> pd.DataFrame:
    """Rates of every row, their means over seeds."""
    try:
        return pd.read_csv(path).groupby(keys, sort=False)[RATES].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of this report; give a results folder of a finished run."
        ) from None
