"""Tables as HTML, by pandas' Styler. A printed number carries the CSV file's own text."""

from html import escape

import pandas as pd

from taskreason.report.render.layout import Form, lay_out
from taskreason.report.tables.spec import Spec

FORM = Form(
    words=escape,
    title=escape,
    number=lambda shown, value: f'<data value="{value}">{escape(shown.replace("-", "−"))}</data>',
    interval="<small>[{}, {}]</small>".format,
    mark="<sup>{}</sup>".format,
    missing='<span class="none">–</span>',
)
BLANK = '<th scope="col">&nbsp;</th>'


def render_html(spec: Spec, table: pd.DataFrame, name: str) -> str:
    """A table whose id is "table-NAME"."""
    frame, _ = lay_out(spec, table, FORM)
    text = frame.style.hide(names=True).to_html(exclude_styles=True)
    kind = ' class="single"' if frame.index.nlevels == 1 else ""
    head, body = text.replace("<table>", f'<table id="table-{name}"{kind}>').split("<tbody>")
    head = head.replace("<th ", '<th scope="col" ').replace(" >", ">")
    # Styler has a row of its own for the titles of what names the rows; here they close the last row of the head.
    for title in reversed(frame.index.names):
        before, _, after = head.rpartition(BLANK)
        head = f'{before}<th scope="col" class="name">{title}</th>{after}'
    return f"{head}<tbody>{body}".replace("<th >", '<th scope="row">').replace("<td >", "<td>")
