"""A table as text: LaTeX for the paper, HTML for the page of the run, Markdown for the docs.

Input: a `Spec` and rows of a CSV. What is printed is what the file has, rounded, so all three languages print the same
numbers. In LaTeX a table is a tabular only (booktabs): the paper puts it in a float with a caption.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape as escape_html
from io import StringIO

import pandas as pd

from taskreason.report.render.latex import MISSING, escape, shrink_interval
from taskreason.report.tables.spec import P_VALUE, Column, Row, Spec, Table


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


def _stack_words(text: str) -> str:
    """A long title with one word a line."""
    shown = escape(text)
    stacked = shown.replace(" ", r" \\ ")
    return rf"\shortstack{{{stacked}}}" if len(text) > 12 and " " in text else shown


def _print_latex(shown: str, value: str) -> str:
    if shown[0] in "+-":
        return rf"\ensuremath{{{shown}}}"
    return escape(shown).replace("<", r"\ensuremath{<}")


LATEX = Form(
    words=escape,
    title=_stack_words,
    number=_print_latex,
    interval=shrink_interval,
    mark=r"\textsuperscript{{{}}}".format,
    missing=MISSING,
    screen=False,
)
HTML = Form(
    words=escape_html,
    title=escape_html,
    # A printed number carries the CSV file's own text.
    number=lambda shown, value: (
        f'<data value="{value}">{escape_html(shown.replace("-", "−"))}</data>'
    ),
    interval="<small>[{}, {}]</small>".format,
    mark="<sup>{}</sup>".format,
    missing='<span class="none">–</span>',
)
MARKDOWN = Form(
    words=str,
    title=str,
    number=lambda shown, value: shown,
    interval="[{}, {}]".format,
    mark="<sup>{}</sup>".format,
    missing="–",
)
BLANK = '<th scope="col">&nbsp;</th>'


def render_latex(table: Table) -> str:
    """All parts of a table, each a tabular."""
    rows = table.csv if table.pooled is None else table.pooled
    return "\\par\\medskip\n".join(_render_part(spec, rows) for spec in table.specs)


def _render_part(spec: Spec, table: pd.DataFrame) -> str:
    frame, columns = lay_out(spec, table, LATEX)
    heads, body = list(frame.index.names), merge_names(frame)
    if len(heads) > 1:
        # A rule before every group but the first, which the head's own rule is above.
        for row in body[1:]:
            row[0] = row[0] and f"\\midrule\n{row[0]}"
    align = "l" * len(heads)
    for column, cells in zip(columns, frame.to_numpy().T, strict=True):
        # Words and numbers with an interval begin at the same place, other numbers end there.
        left = column.words or any("[" in cell for cell in cells)
        align += column.align or ("l" if left else "r")
    if frame.columns.nlevels > 1:
        heads = [("",) * (frame.columns.nlevels - 1) + (title,) for title in heads]
    style = pd.DataFrame(body, columns=pd.Index([*heads, *frame.columns])).style.hide(axis="index")
    return style.to_latex(column_format=f"@{{}}{align}@{{}}", hrules=True, multicol_align="c")


def render_html(spec: Spec, table: pd.DataFrame, name: str) -> str:
    """A table whose id is "table-NAME"."""
    frame, _ = lay_out(spec, table, HTML)
    text = frame.style.hide(names=True).to_html(exclude_styles=True)
    kind = ' class="single"' if frame.index.nlevels == 1 else ""
    head, body = text.replace("<table>", f'<table id="table-{name}"{kind}>').split("<tbody>")
    head = head.replace("<th ", '<th scope="col" ').replace(" >", ">")
    # Styler has a row of its own for the titles of what names the rows; here they close the last row of the head.
    for title in reversed(frame.index.names):
        before, _, after = head.rpartition(BLANK)
        head = f'{before}<th scope="col" class="name">{title}</th>{after}'
    return f"{head}<tbody>{body}".replace("<th >", '<th scope="row">').replace("<td >", "<td>")


def render_markdown(spec: Spec, table: pd.DataFrame) -> str:
    """A table; titles in two rows are joined to one, but for a title that is over all columns."""
    frame, _ = lay_out(spec, table, MARKDOWN)
    titles = list(frame.columns)
    if frame.columns.nlevels > 1:
        over = frame.columns.get_level_values(0).nunique() > 1
        titles = [", ".join(filter(None, column[not over :])) for column in titles]
    return format_rows([*frame.index.names, *titles], merge_names(frame))


def format_rows(head: Sequence[str], body: Iterable[Iterable[str]]) -> str:
    """Rows of text as a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])


def write_csv(frame: pd.DataFrame) -> str:
    """A table as CSV, with ten digits."""
    return frame.to_csv(index=False, float_format="%.10g")


def lay_out(spec: Spec, table: pd.DataFrame, form: Form) -> tuple[pd.DataFrame, list[Column]]:
    """Finished cells in a frame whose index names the rows, and which column each of theirs shows.

    A column without a single value is left out, unless all are: steps to success where no policy has any are dashes.
    """
    rows = pd.read_csv(StringIO(write_csv(table)), dtype=str, keep_default_na=False)
    rows = spec.select(rows) if spec.select else rows
    records = rows.to_dict("records")
    names = [c for c in spec.names if not c.several or rows[c.key].nunique() > 1]
    values = [c for c in spec.values if form.screen or not c.screen]
    values = [c for c in values if not c.several or rows[c.key].nunique() > 1]
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


def print_cell(column: Column, row: Row, form: Form) -> str:
    """A value, its interval and its mark."""
    text = row.get(column.key, "")
    if not text:
        return form.missing
    if column.words:
        return form.words(column.words(text))
    before = f"{column.key}_" if column.bounds is None else column.bounds
    ends = [row.get(f"{before}{end}", "") for end in ("low", "high")]
    bounded = all(ends) and (form.screen or not column.narrow)
    style = column.style(row) if callable(column.style) else column.style
    shown, *ends = (
        form.number(format_number(value, style), value)
        for value in (text, *(ends if bounded else ()))
    )
    mark = column.mark(row) if column.mark else ""
    return shown + (f" {form.interval(*ends)}" if ends else "") + (form.mark(mark) if mark else "")


def format_number(text: str, style: str) -> str:
    """'0.925' -> '0.93'."""
    if style == P_VALUE:
        return "<0.001" if float(text) < 0.001 else f"{float(text):.3f}"
    return f"{float(text):{style}}"


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


def merge_names(frame: pd.DataFrame) -> list[list[str]]:
    """The rows, each after what names it, without what is the same as in the row above."""
    names = frame.index.to_frame(index=False)
    new = names.ne(names.shift()).cummax(axis=1)
    new.iloc[:, -1] = True
    shown = names.where(new, "").to_numpy()
    return [[*words, *cells] for words, cells in zip(shown, frame.to_numpy(), strict=True)]
