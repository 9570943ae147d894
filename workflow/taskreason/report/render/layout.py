"""From a table's rows to its finished cells, which the writers of LaTeX, HTML and Markdown put in order.

Input: a `Spec` and rows of a CSV; output: a DataFrame of text, whose index names the rows. What is printed is what the
file has, rounded, so all three languages print the same numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

import pandas as pd

from taskreason.report.tables.spec import P_VALUE, Column, Row, Spec


@dataclass(frozen=True)
class Form:
    """How one language writes a cell.

    number: of its printed form and the file's text; interval: of two finished numbers; screen: whether there is room
    for all columns.
    """

    words: Callable[[str], str]
    title: Callable[[str], str]
    number: Callable[[str, str], str]
    interval: Callable[[str, str], str]
    mark: Callable[[str], str]
    missing: str
    screen: bool = True


def write_csv(frame: pd.DataFrame) -> str:
    """A table as CSV, with ten digits."""
    return frame.to_csv(index=False, float_format="%.10g")


def read_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as its CSV file has it, every value as text."""
    return pd.read_csv(StringIO(write_csv(frame)), dtype=str, keep_default_na=False)


def format_number(text: str, style: str) -> str:
    """'0.925' -> '0.93'."""
    if style == P_VALUE:
        return "<0.001" if float(text) < 0.001 else f"{float(text):.3f}"
    return f"{float(text):{style}}"


def print_cell(column: Column, row: Row, form: Form) -> str:
    """A value, its interval and its mark."""
    text = row.get(column.key, "")
    if not text:
        return form.missing
    if column.words:
        return form.words(column.words(text))
    style, mark = column.find_style(row), column.mark(row) if column.mark else ""
    bounds = column.find_bounds(row) if form.screen or not column.narrow else []
    shown, *ends = (form.number(format_number(v, style), v) for v in (text, *bounds))
    interval = f" {form.interval(*ends)}" if ends else ""
    return shown + interval + (form.mark(mark) if mark else "")


def lay_out(spec: Spec, table: pd.DataFrame, form: Form) -> tuple[pd.DataFrame, list[Column]]:
    """Finished cells, and which column each of theirs shows.

    A column without a single value is left out, unless all are: steps to success where no policy has any are dashes.
    """
    rows = read_text(table)
    rows = spec.select(rows) if spec.select else rows
    records = rows.to_dict("records")
    names = [c for c in spec.names if not c.several or rows[c.key].nunique() > 1]
    values = [c for c in spec.values if form.screen or not c.screen]
    values = [c for c in values if any(row.get(c.key) for row in records)] or values
    heads = [*names, *([spec.across] if spec.across else [])]
    frame = pd.DataFrame(
        [[print_cell(column, row, form) for column in values] for row in records],
        index=pd.MultiIndex.from_arrays(
            [[print_cell(head, row, form) for row in records] for head in heads],
            names=[form.title(head.title) for head in heads],
        ),
        columns=_make_heads([column.title.split("|") for column in values], form),
    )
    if spec.across:
        frame = _spread_out(frame, spec, form, len(names))
    return frame, (values * frame.shape[1])[: frame.shape[1]]


def _make_heads(titles: Sequence[Sequence[str]], form: Form) -> pd.Index:
    """Titles of columns, each its last part under the others."""
    depth = max(map(len, titles))
    if depth == 1:
        return pd.Index([form.title(title) for (title,) in titles])
    padded = [[""] * (depth - len(parts)) + list(parts) for parts in titles]
    return pd.MultiIndex.from_tuples(
        [(*map(form.words, p[:-1]), form.title(p[-1])) for p in padded]
    )


def _spread_out(frame: pd.DataFrame, spec: Spec, form: Form, level: int) -> pd.DataFrame:
    """The values of an index level side by side, in the order in which they come."""
    if spec.down:
        frame = frame.stack().rename_axis([*frame.index.names, ""]).to_frame()
    rows = frame.index.droplevel(level).unique()
    parts = {part: frame.xs(part, level=level) for part in frame.index.unique(level)}
    wide = pd.concat(parts, axis=1).reindex(rows).fillna(form.missing)
    if frame.shape[1] == 1:
        title = spec.across.title
        wide.columns = _make_heads([(title, part) if title else (part,) for part in parts], form)
    return wide


def merge_names(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[bool]]:
    """What names the rows, without what is the same as in the row above; and before which rows a new group begins."""
    names = frame.index.to_frame(index=False)
    new = names.ne(names.shift()).cummax(axis=1)
    new.iloc[:, -1] = True
    grouped = names.shape[1] > 1
    return names.where(new, ""), [
        grouped and n > 0 and bool(b) for n, b in enumerate(new.iloc[:, 0])
    ]
