"""A run's crate: what the profile asks for, by hand and by its own validator, and what is refused.

The validator needs an older `rich` than the other tests: `pip install -e '.[crate]'` in an environment of its own.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from taskreason.cli.main import main

FIRST, LAST = 1_700_000_000.0, 1_700_000_900.0


@pytest.fixture
def project(tmp_path):
    """The folder of a finished run, as small as can be."""
    made = {
        "Snakefile": "rule all:\n",
        "config.yaml": "scale: laptop\n",
        "README.md": "# A run\n",
        "workflow/rules/sft.smk": "rule sft:\n",
        "workflow/scripts/__pycache__/job.pyc": "",
        "envs/requirements.txt": "torch==2.13.0\n",
        "results/tables/main.csv": "task,policy\n",
        "results/figures/grid.png": "",
        "results/laptop/training/burger/grpo.csv": "step,reward\n",
        "results/laptop/models/burger/grpo/model.safetensors": "weights",
        "results/laptop/episodes/sft/burger/burger.jsonl": "{}\n",
        "paper/main.pdf": "%PDF",
        "paper/main.tex": "",
    }
    record = {
        "config": {"environment": "robotouille", "scale": "laptop", "tasks": ["burger"]},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "hardware": {"processor": "some processor", "instructions": ["avx2"]},
        "commit": "abc",
        "wall_seconds": 60.0,
    }
    made["results/laptop/training/burger/grpo.provenance.json"] = json.dumps(record)
    for name, (begin, end) in {"a": (FIRST, FIRST + 60), "@b/c": (FIRST + 50, LAST)}.items():
        job = {"rule": "sft", "starttime": begin, "endtime": end}
        made[f".snakemake/metadata/{name}"] = json.dumps(job)
    made[".snakemake/metadata/d"] = json.dumps({"rule": "sft", "starttime": FIRST - 60})
    for name, text in made.items():
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "run"


def make(project: Path) -> Path:
    archive = project.parent / "out" / "run.zip"
    assert main(["crate", str(project / "results"), "--out", str(archive)]) == 0
    return archive


def read(archive: Path) -> tuple[dict[str, dict], list[str]]:
    with ZipFile(archive) as opened:
        graph = json.loads(opened.read("ro-crate-metadata.json"))["@graph"]
        return {entity["@id"]: entity for entity in graph}, opened.namelist()


def test_a_crate_says_what_was_run_when_and_what_came_out(project):
    entities, names = read(make(project))
    parts = [part["@id"] for part in entities["./"]["hasPart"]]
    assert sorted(names) == sorted(["ro-crate-metadata.json", *parts]), "every file is described"
    left = {"model.safetensors", "burger.jsonl", "job.pyc"}
    assert not left & {Path(name).name for name in names}
    assert {"paper/main.pdf", "results/laptop/training/burger/grpo.csv"} <= set(names)
    assert entities["./"]["mainEntity"] == {"@id": "Snakefile"}
    run = entities["#run"]
    assert run["instrument"] == {"@id": "Snakefile"} and run["object"] == {"@id": "config.yaml"}
    made = {part["@id"] for part in run["result"]}
    assert made == {n for n in names if n.startswith("results/")} | {"paper/main.pdf"}
    times = [datetime.fromisoformat(run[key]) for key in ("startTime", "endTime")]
    # A job that has begun and not ended tells nothing.
    assert times == [datetime.fromtimestamp(time, UTC) for time in (FIRST, LAST)]
    assert "some processor" in run["description"] and "abc" in run["description"]
    for entity in entities.values():
        for value in entity.values():
            for linked in value if isinstance(value, list) else [value]:
                name = linked.get("@id") if isinstance(linked, dict) else None
                assert name is None or name in entities or name.startswith("http"), name


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("config.yaml", "config.yaml: is missing; call this in the folder"),
        (".snakemake/metadata/*", "nothing is known of any job"),
        ("results/laptop/training/burger/grpo.provenance.json", "no provenance of a training"),
    ],
)
def test_a_run_without_its_parts_makes_no_crate(project, missing, words, capsys):
    for path in [p for p in project.rglob("*") if p.is_file() and p.match(missing)]:
        path.unlink()
    for path in project.glob(".snakemake/metadata/*/*") if "*" in missing else []:
        path.unlink()
    archive = project.parent / "run.zip"
    assert main(["crate", str(project / "results"), "--out", str(archive)]) == 2
    assert words in capsys.readouterr().err and not archive.exists()


def test_the_profiles_own_validator_accepts_a_crate(project, monkeypatch):
    pytest.importorskip("rocrate_validator", reason="in an environment of its own: see the head")
    import rocrate
    from rocrate_validator import services
    from rocrate_validator.models import Severity, ValidationSettings
    from rocrate_validator.utils.http import HttpRequester

    context = json.loads((Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text())

    class Answer:
        """The one document that the validator downloads, as a package has it."""

        status_code, ok, headers = 200, True, {"Content-Type": "application/ld+json"}
        text = json.dumps(context)
        content = text.encode()

        def json(self):
            return context

    asked = []

    def get(self, url, **options):
        asked.append(url)
        return Answer()

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)

    def check(archive: Path) -> list[str]:
        settings = ValidationSettings(
            rocrate_uri=str(archive),
            profile_identifier="workflow-run-crate",
            requirement_severity=Severity.REQUIRED,
        )
        return [issue.message for issue in services.validate(settings).get_issues()]

    archive = make(project)
    assert check(archive) == [] and set(asked) == {"https://w3id.org/ro/crate/1.1/context"}
    with ZipFile(archive) as whole, ZipFile(project.parent / "lame.zip", "w") as lame:
        for name in whole.namelist():
            # Nothing has run this run.
            lame.writestr(name, whole.read(name).replace(b'"instrument"', b'"about"'))
    assert check(project.parent / "lame.zip")
