"""What every table shares: the pair of CSV and LaTeX that a table is, and how SR is printed."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from taskreason.report.render.latex import format_interval, format_rate, shrink
from taskreason.report.results import Cell, Results


@dataclass(frozen=True)
class Table:
    """csv: the rows in full precision; tex: the printed tabular."""

    csv: pd.DataFrame
    tex: str

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.csv and NAME.tex into a folder that exists."""
        self.csv.to_csv(folder / f"{name}.csv", index=False, float_format="%.10g")
        (folder / f"{name}.tex").write_text(self.tex)


def head_rate(title: str, results: Results) -> str:
    r"""A column's title and, smaller, the level of the intervals in it: 'SR [95\%]'."""
    level = rf"[{100 * results.confidence:g}\%]"
    return f"{title} {shrink(level)}"


def print_rate(rate: float | None, low: float, high: float) -> str:
    """A share and, smaller, its interval."""
    return f"{format_rate(rate)} {shrink(format_interval(low, high))}"


def print_success(cell: Cell) -> str:
    """SR and, smaller, its interval."""
    return print_rate(cell.metrics.sr, cell.metrics.sr_low, cell.metrics.sr_high)


def print_gain(gain: float, low: float, high: float, decimals: int = 2) -> str:
    """A difference in SR and, smaller, its interval, with signs."""
    shown, *bounds = (rf"\ensuremath{{{value:+.{decimals}f}}}" for value in (gain, low, high))
    return f"{shown} {shrink('[' + ', '.join(bounds) + ']')}"
