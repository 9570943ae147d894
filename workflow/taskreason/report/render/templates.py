"""Text from the templates of the report: pages in HTML, whose values are escaped, and cards in Markdown."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

REPORT = Path(__file__).resolve().parents[1]


def render(template: str, **values) -> str:
    """Fill a template in; a value that it names and does not get is an error.

    template: file below the report's folder, such as page/templates/index.html.j2.
    """
    environment = Environment(
        loader=FileSystemLoader(REPORT),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
