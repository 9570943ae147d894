"""Tables as Markdown."""

from collections.abc import Iterable, Sequence

import pandas as pd

from taskreason.report.render.layout import Form, lay_out, merge_names
from taskreason.report.tables.spec import Spec

FORM = Form(
    words=str,
    title=str,
    number=lambda shown, value: shown,
    interval="[{}, {}]".format,
    mark="<sup>{}</sup>".format,
    missing="–",
)


def render_markdown(spec: Spec, table: pd.DataFrame) -> str:
    """A table; titles in two rows are joined to one, but for a title that is over all columns."""
    frame, _ = lay_out(spec, table, FORM)
    titles = list(frame.columns)
    if frame.columns.nlevels > 1:
        over = frame.columns.get_level_values(0).nunique() > 1
        titles = [", ".join(filter(None, column[not over :])) for column in titles]
    names, _ = merge_names(frame)
    body = [
        [*shown, *cells] for shown, cells in zip(names.to_numpy(), frame.to_numpy(), strict=True)
    ]
    return format_rows([*frame.index.names, *titles], body)


def format_rows(head: Sequence[str], body: Iterable[Iterable[str]]) -> str:
    """Rows of text as a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])
