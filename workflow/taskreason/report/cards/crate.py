"""A finished run as a Workflow Run RO-Crate: one archive that says what was run, with what, when, and what came out.

Input: the folder that a run was started in; output: a zip file with the workflow, its settings, the tables, figures and
logs of the trainings, and ro-crate-metadata.json, which archives such as WorkflowHub and Zenodo's readers understand.
Trained weights and single episodes stay behind: they are hundreds of megabytes, and the workflow makes them again.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode
from taskreason.durability.provenance import name_machine
from taskreason.report.cards.croissant import MIT
from taskreason.studies.reference import read_provenance

METADATA = "ro-crate-metadata.json"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
WORKFLOW, SETTINGS, ABOUT = "Snakefile", "config.yaml", "README.md"
SOURCES = ("workflow/**/*", "envs/*", "profiles/**/*", "paper/*.tex", "paper/*.bib")
"""What makes the results, beside these three."""
RESULTS = ("tables/*", "figures/*", "index.html", "macros.tex")
"""What the run has made, below its results folder."""
OF_SCALE = ("training/*/*", "trajectories/*")
"""The same, below the folder of its scale."""
PAPER = "paper/main.pdf"
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}
Entity = dict[str, Any]


def write_crate(project: Path, results: Path, scale: str, output: Path) -> int:
    """Write the archive and return the number of its files; UserError where a part of the run is missing.

    project: the folder with the Snakefile; results lies in it.
    """
    record = read_provenance(results, scale)
    made = list(_list_made(project, results, scale))
    sources = [p for pattern in SOURCES for p in _find(project, pattern)]
    own = [project / name for name in (WORKFLOW, SETTINGS, ABOUT)]
    for needed in own:
        if not needed.is_file():
            raise UserError(
                f"{needed}: is missing; call this in the folder that the run was started in."
            )
    metadata = describe_run(project, sources, made, record, read_times(project))
    files = [*own, *sources, *made]
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = output.with_name(f".{output.name}.new")
    with ZipFile(fresh, "w", ZIP_DEFLATED) as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=2))
        for path in files:
            archive.write(path, path.relative_to(project))
    fresh.replace(output)
    return len(files) + 1


def _list_made(project: Path, results: Path, scale: str) -> Iterator[Path]:
    """Results, each where it lies."""
    for pattern in RESULTS:
        yield from _find(results, pattern)
    for pattern in OF_SCALE:
        yield from _find(results / scale, pattern)
    if (project / PAPER).is_file():
        yield project / PAPER


def _find(folder: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(folder.glob(pattern)):
        hidden = any(p.startswith((".", "__pycache__")) for p in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def read_times(project: Path) -> tuple[datetime, datetime]:
    """When the first job began and the last one ended, from what Snakemake keeps of every job."""
    jobs = []
    for path in (project / ".snakemake" / "metadata").rglob("*"):
        if path.is_file():
            known = decode(path.read_bytes())
            jobs.append((known.get("starttime"), known.get("endtime")))
    whole = [(begin, end) for begin, end in jobs if begin and end]
    if not whole:
        raise UserError(
            f"{project}/.snakemake/metadata: nothing is known of any job; call this in the folder that the run was "
            "started in."
        )
    begin, end = min(begin for begin, _ in whole), max(end for _, end in whole)
    return datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)


def describe_run(
    project: Path,
    sources: list[Path],
    made: list[Path],
    record: Mapping[str, Any],
    times: tuple[datetime, datetime],
) -> Entity:
    """The metadata as JSON values."""
    begin, end = (time.isoformat(timespec="seconds") for time in times)
    config = record["config"]
    ids = [path.relative_to(project).as_posix() for path in made]
    parts = [
        WORKFLOW,
        SETTINGS,
        ABOUT,
        *(path.relative_to(project).as_posix() for path in sources),
        *ids,
    ]
    machine = name_machine(record["hardware"])
    title = f"taskreason, {config['environment']} at the {config['scale']} scale"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": "Single-turn training for multi-turn task planning: the workflow, its settings and its results.",
        "datePublished": end,
        "license": {"@id": MIT},
        "conformsTo": _refer(PROFILES),
        "hasPart": _refer(parts),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": "#run"},
        "author": {"@id": "#authors"},
    }
    run = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of {title}",
        "description": f"On {machine}, at commit {record['commit'] or 'unknown'}.",
        "instrument": {"@id": WORKFLOW},
        "object": {"@id": SETTINGS},
        "result": _refer(ids),
        "agent": {"@id": "#authors"},
        "startTime": begin,
        "endTime": end,
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    workflow = {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "taskreason",
        "version": version("taskreason"),
        "encodingFormat": "text/plain",
        "programmingLanguage": {"@id": SNAKEMAKE},
        "softwareRequirements": [f"{name} {known}" for name, known in record["versions"].items()],
    }
    profiles = [
        {"@id": key, "@type": "CreativeWork", "name": name, "version": number}
        for key, (name, number) in PROFILES.items()
    ]
    graph = [_describe_metadata(), root, run, workflow, *profiles, *_describe_rest()]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": graph + [_describe_file(part) for part in parts[1:]],
    }


def _describe_metadata() -> Entity:
    kinds = ["https://w3id.org/ro/crate/1.1", *list(PROFILES)[2:]]
    about = {"@id": "./"}
    return {"@id": METADATA, "@type": "CreativeWork", "about": about, "conformsTo": _refer(kinds)}


def _describe_rest() -> list[Entity]:
    """What the entities of the run refer to."""
    return [
        {
            "@id": SNAKEMAKE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
            "url": {"@id": "https://snakemake.readthedocs.io"},
        },
        {"@id": "#authors", "@type": "Organization", "name": "The taskreason authors"},
        {"@id": MIT, "@type": "CreativeWork", "name": "MIT License", "identifier": MIT},
    ]


def _describe_file(name: str) -> Entity:
    kind = FORMATS.get(Path(name).suffix, "text/plain")
    about = {"about": {"@id": "./"}} if name == ABOUT else {}
    return {"@id": name, "@type": "File", "name": Path(name).name, "encodingFormat": kind} | about


def _refer(names) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]
