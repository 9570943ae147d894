"""What every table shares: the pair of CSV and LaTeX that a table is, and how SR is printed."""

from dataclasses import dataclass

import pandas as pd

from taskreason.report.results import Cell, Results
from taskreason.report.tex import format_interval, format_rate, shrink


@dataclass(frozen=True)
class Table:
    """csv: the rows in full precision; tex: the printed tabular."""

    csv: pd.DataFrame
    tex: str


def print_confidence(results: Results) -> str:
    r"""The level of the intervals: '95\%'."""
    return rf"{100 * results.confidence:g}\%"


def print_success(cell: Cell) -> str:
    """SR and, smaller, its interval."""
    metrics = cell.metrics
    interval = format_interval(metrics.sr_low, metrics.sr_high)
    return f"{format_rate(metrics.sr)} {shrink(interval)}"


def print_gain(gain: float, low: float, high: float, decimals: int = 2) -> str:
    """A difference in SR and, smaller, its interval, with signs."""
    shown, *bounds = (rf"\ensuremath{{{value:+.{decimals}f}}}" for value in (gain, low, high))
    return f"{shown} {shrink('[' + ', '.join(bounds) + ']')}"
