"""A table is one object: the rows of its CSV file, and the columns in which they are printed.

The paper (LaTeX), the page of the run (HTML) and the docs (Markdown) print the same columns by the same formats; see
:mod:`taskreason.report.render`. A success rate by task and policy, for example:

    Spec(
        names=[name("task", "Task", task_title), name("policy", "Policy", label_policy)],
        values=[Column("sr", "SR"), Column("asat", "ASAT", STEPS)],
    )
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

Row = Mapping[str, str]
"""One row of a CSV file, every value as the file's text."""
RATE, FINE, STEPS, SHARE, COUNT, SIGNED, P_VALUE = ".2f", ".3f", ".1f", ".1%", ",.0f", "+.2f", "p"
TEMPERATURE = "g"
"""How numbers are printed, as `format` does; P_VALUE with three decimals, or as smaller than that."""


@dataclass(frozen=True)
class Column:
    """One column of a printed table; key: its column of the CSV.

    title: what stands before a "|" heads several columns. style: how numbers are printed, or a function of the row that
    says so. words: how text is printed, where it is no number. bounds: "" where the interval is in low and high;
    otherwise it is in KEY_low and KEY_high, if there. mark: a raised letter that some rows have. screen: left out in
    the paper, which is narrow. narrow: its interval is left out there. several: left out where all rows have the same.
    align: its LaTeX column, where it is none of the usual.
    """

    key: str
    title: str
    style: str | Callable[[Row], str] = RATE
    words: Callable[[str], str] | None = None
    bounds: str | None = None
    mark: Callable[[Row], str] | None = None
    screen: bool = False
    narrow: bool = False
    several: bool = False
    align: str = ""


def columns(style: str | Callable[[Row], str], **titles: str) -> list[Column]:
    """Columns of numbers that are printed alike: KEY="Title"."""
    return [Column(key, title, style) for key, title in titles.items()]


def name(key: str, title: str, words: Callable[[str], str] = str, **changes) -> Column:
    """A column of words."""
    return Column(key, title, words=words, **changes)


@dataclass(frozen=True)
class Spec:
    """names: columns that name a row, of which equal ones are merged. values: the others.

    across: what has a column for each of its values, side by side; down: the values then stand below one another.
    select: rows that are printed, from those of the CSV.
    """

    names: Sequence[Column]
    values: Sequence[Column]
    across: Column | None = None
    down: bool = False
    select: Callable[[pd.DataFrame], pd.DataFrame] | None = None


@dataclass(frozen=True)
class Table:
    """csv: the rows of the file in full precision. specs: what is printed of them, below one another.

    pooled: rows that the paper prints instead, where the file has one for each of several seeds.
    """

    csv: pd.DataFrame
    specs: Sequence[Spec]
    pooled: pd.DataFrame | None = None


def spread(means: Mapping[str, tuple[float, float, float]]) -> dict[str, float]:
    """Columns of a CSV: each mean under its name, and the ends of its interval behind it."""
    return {
        f"{key}{end}": value
        for key, values in means.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }
