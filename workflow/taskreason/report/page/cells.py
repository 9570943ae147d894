"""Tables of the page: cells that print a number of a CSV file rounded and keep it in full.

Input: rows of a CSV file, every value as the file's text; output: `PageTable`, which the template
lays out. A printed number carries the file's own text, so that the page can be compared with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

Row = dict[str, str]

MISSING = "–"


@dataclass(frozen=True)
class Number:
    """A printed number; value: what the CSV file has, None where there is nothing to print."""

    text: str
    value: str | None


@dataclass(frozen=True)
class Cell:
    """text: words; number and interval: what is printed instead; heads: whether it names its row; rows: its height."""

    text: str = ""
    number: Number | None = None
    interval: tuple[Number, ...] = ()
    heads: bool = False
    rows: int = 1


@dataclass(frozen=True)
class PageTable:
    """head: titles of the columns; body: rows of cells."""

    head: Sequence[str]
    body: Sequence[Sequence[Cell]]


def print_number(text: str, style: str = ".2f") -> Number:
    """A number in a style of `format`; a dash where the file has none."""
    return (
        Number(f"{float(text):{style}}".replace("-", "−"), text) if text else Number(MISSING, None)
    )


def cell(row: Row, key: str, style: str = ".2f") -> Cell:
    """A value and, where the row has KEY_low and KEY_high, its interval in brackets."""
    interval = tuple(print_number(row.get(f"{key}_{end}", ""), style) for end in ("low", "high"))
    known = all(end.value is not None for end in interval)
    return Cell(number=print_number(row[key], style), interval=interval if known else ())


def rename(row: Row, **keys: str) -> Row:
    """The row with values under further names: NEW=OLD."""
    return row | {new: row[old] for new, old in keys.items()}


def head(text: str) -> Cell:
    return Cell(text, heads=True)


def list_values(rows: Iterable[Row], key: str) -> list[str]:
    """The different values of a column, in the order of the file."""
    return list(dict.fromkeys(row[key] for row in rows))


def spread_out(
    rows: Sequence[Row],
    names: Sequence[tuple[str, str, Callable[[str], str]]],
    across: tuple[str, Callable[[str], str]],
    show: Callable[[Row], Cell],
) -> PageTable:
    """One column for each value of `across`; names: (title, key, label) of what names a row."""
    column, title = across
    columns = list_values(rows, column)
    found = {(*(row[key] for _, key, _ in names), row[column]): row for row in rows}
    body = []
    for place in dict.fromkeys(key[:-1] for key in found):
        labels = [head(label(part)) for part, (_, _, label) in zip(place, names, strict=True)]
        cells = [found.get((*place, name)) for name in columns]
        body.append([*labels, *(show(row) if row else Cell(MISSING) for row in cells)])
    return merge_heads(PageTable([*(t for t, _, _ in names), *map(title, columns)], body))


def merge_heads(table: PageTable) -> PageTable:
    """Rows that begin with the same cell share it."""
    body = []
    for first, group in groupby(table.body, key=lambda row: row[0]):
        top, *below = group
        body.append([replace(first, rows=1 + len(below)), *top[1:]])
        body += [row[1:] for row in below]
    return PageTable(table.head, body)
