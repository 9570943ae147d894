"""results/index.html: the whole run on one page that opens from a file, without a network.

Input: the tables (CSV) and figures (PNG) of the run, its configuration and what its trainings and jobs left
under results/SCALE; output: HTML with everything inside it. Figures are embedded, so that the page can be
passed on alone; it links to the PDF, the gallery and the tables by relative paths. A section whose tables
and figures this run does not make is left out.
"""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.captions import FIGURE_TITLES, TABLE_TITLES, read_caption
from taskreason.report.page.headline import HEADLINE, list_findings, make_headline
from taskreason.report.page.run import (
    SPECS,
    list_costs,
    list_settings,
    list_trainings,
    list_versions,
)
from taskreason.report.render.tables import render_html
from taskreason.report.render.templates import render
from taskreason.report.tables.registry import find_specs

SOURCES = Path(__file__).with_name("templates")


def _begin(titles: Mapping[str, str], study: str) -> list[str]:
    return [name for name in titles if name.startswith(study)]


SECTIONS = {
    "results": ("Results", ["main", "comparison"], ["success_rate", "steps_vs_optimal"]),
    "gains": ("What GRPO adds", ["baselines", "seeds", "bound"], []),
    "tasks": (
        "Across tasks",
        ["generalization", "comparison_grid"],
        _begin(FIGURE_TITLES, "gener"),
    ),
    "training": ("Training", ["collection", "probes"], _begin(FIGURE_TITLES, "learning")),
    "theory": (
        "The theory, measured",
        _begin(TABLE_TITLES, "theory"),
        _begin(FIGURE_TITLES, "theory"),
    ),
    "ablations": ("Ablations", _begin(TABLE_TITLES, "abl"), _begin(FIGURE_TITLES, "abl")),
    "episode": ("An episode", [], ["kitchen"]),
}
"""Title, tables and figures."""
PARTS = {"comparison_grid": ("comparison", 1)}
"""A table that shows another part of a file than its first."""


def write_page(
    page: Path,
    root: Path,
    files: Sequence[Path],
    cfg: Config,
    provenance: Sequence[Path],
    links: Mapping[str, Path],
) -> None:
    """Write the page; root: results/SCALE; files: tables and figures of the run; links: title -> file."""
    tables = {path.stem: path for path in files if path.suffix == ".csv"}
    figures = {path.stem: path for path in files if path.suffix == ".png"}
    first = [pd.read_csv(tables[name]) for name in ("comparison", "baselines")]
    own = {
        "trainings": list_trainings(provenance),
        "costs": list_costs(root),
        "versions": list_versions(provenance),
        "settings": list_settings(cfg),
    }
    text = render(
        "page/templates/index.html.j2",
        cfg=cfg,
        style=(SOURCES / "index.css").read_text(),
        script=(SOURCES / "index.js").read_text(),
        headline=render_html(HEADLINE, make_headline(*first), "headline"),
        findings=list(list_findings(*first)),
        sections=list(list_sections(page, tables, figures, cfg)),
        links={title: locate(path, page) for title, path in links.items()},
        files={name: locate(path, page) for name, path in sorted(tables.items())},
        run={name: render_html(SPECS[name], rows, name) for name, rows in own.items() if len(rows)},
    )
    page.write_text(text, encoding="utf-8")


def list_sections(
    page: Path, tables: Mapping[str, Path], figures: Mapping[str, Path], cfg: Config
) -> Iterator[dict]:
    """The sections that have anything to show, in the order of the page, as the template takes them."""

    def view(kind: str, name: str, source: str, path: Path, **content: str) -> dict:
        title = (TABLE_TITLES if kind == "tables" else FIGURE_TITLES)[name]
        caption = read_caption(kind, source, cfg.env.worlds)
        return {
            "name": name,
            "title": title,
            "caption": caption,
            "file": locate(path, page),
        } | content

    for anchor, (title, named, drawn) in SECTIONS.items():
        shown = []
        for name in named:
            source, part = PARTS.get(name, (name, 0))
            rows = read_rows(tables[source]) if source in tables else ()
            if len(rows):
                html = render_html(find_specs(source, cfg.env)[part], rows, name)
                shown.append(view("tables", name, source, tables[source], html=html))
        pictures = [
            view(
                "figures", name, name, figures[name].with_suffix(".pdf"), image=embed(figures[name])
            )
            for name in drawn
            if name in figures
        ]
        if shown or pictures:
            yield {"anchor": anchor, "title": title, "tables": shown, "figures": pictures}


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of a CSV file, every value as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def locate(path: Path, page: Path) -> str:
    """A file as the page links to it."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def embed(path: Path) -> str:
    """A picture as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
