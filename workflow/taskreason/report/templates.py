"""Text from the templates in workflow/resources: pages in HTML, whose values are escaped, and cards in Markdown."""

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from taskreason.shipped import RESOURCES


def render(template: str, **values) -> str:
    """Fill a template in; a value that it names and does not get is an error.

    template: file below workflow/resources, such as page/index.html.j2.
    """
    environment = Environment(
        loader=FileSystemLoader(RESOURCES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
