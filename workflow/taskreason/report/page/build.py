"""results/index.html: the whole run on one page that opens from a file, without a network.

Input: the tables (CSV) and figures (PNG) of the run, its configuration and what its trainings and jobs left
under results/SCALE; output: HTML with everything inside it. Figures are embedded, so that the page can be
passed on alone; it links to the PDF, the gallery and the tables by relative paths. A section whose tables
and figures this run does not make is left out.
"""

import base64
import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskreason.report.captions import FIGURE_TITLES, TABLE_TITLES, read_caption
from taskreason.report.page.cells import PageTable
from taskreason.report.page.headline import list_findings, make_headline
from taskreason.report.page.run import (
    Training,
    list_costs,
    list_settings,
    list_trainings,
    list_versions,
)
from taskreason.report.page.tables import TABLES
from taskreason.report.render.templates import render

SOURCES = Path(__file__).with_name("templates")
SECTIONS = {
    "results": ("Results", ("main", "comparison"), ("success_rate", "steps_vs_optimal")),
    "gains": ("What GRPO adds", ("baselines", "seeds", "bound"), ()),
    "tasks": (
        "Across tasks",
        ("generalization", "comparison_grid"),
        ("generalization_sr", "generalization_asat", "generalization_asst"),
    ),
    "training": (
        "Training",
        ("collection", "probes"),
        ("learning_sft", "learning_grpo", "learning_validation"),
    ),
    "theory": (
        "The theory, measured",
        tuple(name for name in TABLES if name.startswith("theory_")),
        tuple(name for name in FIGURE_TITLES if name.startswith("theory_")),
    ),
    "ablations": (
        "Ablations",
        tuple(name for name in TABLES if name.startswith("ablation_")),
        tuple(name for name in FIGURE_TITLES if name.startswith("ablation_")),
    ),
    "episode": ("An episode", (), ("kitchen",)),
}
# A table that shows the second part of another's file.
PARTS = {"comparison_grid": ("comparison", "Across tasks, beside the published numbers")}


@dataclass(frozen=True)
class TableView:
    """One table of a section; file: its CSV, relative to the page."""

    name: str
    title: str
    caption: str
    file: str
    table: PageTable


@dataclass(frozen=True)
class FigureView:
    """One figure of a section; image: the picture as a data URI; file: its PDF, relative to the page."""

    name: str
    title: str
    caption: str
    file: str
    image: str


@dataclass(frozen=True)
class Section:
    anchor: str
    title: str
    tables: Sequence[TableView]
    figures: Sequence[FigureView]


def write_page(
    page: Path,
    root: Path,
    files: Sequence[Path],
    config: Mapping,
    trainings: Sequence[Training],
    links: Mapping[str, Path],
) -> None:
    """Write the page; root: results/SCALE; files: tables and figures of the run; links: title -> file."""
    tables = {path.stem: path for path in files if path.suffix == ".csv"}
    figures = {path.stem: path for path in files if path.suffix == ".png"}
    rows = {name: read_rows(path) for name, path in tables.items()}
    text = render(
        "page/templates/index.html.j2",
        config=config,
        style=(SOURCES / "index.css").read_text(),
        script=(SOURCES / "index.js").read_text(),
        headline=make_headline(rows["comparison"], rows["baselines"]),
        findings=list(list_findings(rows["comparison"], rows["baselines"])),
        sections=list_sections(page, tables, figures, rows),
        links={title: locate(path, page) for title, path in links.items()},
        files={name: locate(path, page) for name, path in sorted(tables.items())},
        trainings=list_trainings(trainings),
        versions=list_versions(trainings),
        costs=list_costs(root),
        settings=list_settings(config),
    )
    page.write_text(text, encoding="utf-8")


def list_sections(
    page: Path,
    tables: Mapping[str, Path],
    figures: Mapping[str, Path],
    rows: Mapping[str, Sequence[dict[str, str]]],
) -> list[Section]:
    """The sections that have anything to show, in the order of the page."""
    sections = []
    for anchor, (title, named, drawn) in SECTIONS.items():
        shown = []
        for name in named:
            source, heading = PARTS.get(name, (name, TABLE_TITLES.get(name)))
            if source in tables:
                caption, file = read_caption("tables", source), locate(tables[source], page)
                shown.append(TableView(name, heading, caption, file, TABLES[name](rows[source])))
        pictures = [
            FigureView(
                name,
                FIGURE_TITLES[name],
                read_caption("figures", name),
                locate(figures[name].with_suffix(".pdf"), page),
                embed(figures[name]),
            )
            for name in drawn
            if name in figures
        ]
        if shown or pictures:
            sections.append(Section(anchor, title, shown, pictures))
    return sections


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, every value as text."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def locate(path: Path, page: Path) -> str:
    """A file as the page links to it."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def embed(path: Path) -> str:
    """A picture as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
