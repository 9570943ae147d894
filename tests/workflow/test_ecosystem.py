"""What others read of the project: the catalogue's layout, a forge's CI, the citation, the page of all keys."""

import re
import runpy
import tomllib
from pathlib import Path

import yaml

from taskreason.config.models import make_schema

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = runpy.run_path(str(ROOT / "docs" / "write_config_keys.py"))


def test_schema_and_page_of_keys_are_of_the_models_as_they_are():
    fix = "run: python docs/write_config_keys.py"
    assert WRITTEN["SCHEMA"].read_text() == WRITTEN["write_schema"](), fix
    assert WRITTEN["PAGE"].read_text() == WRITTEN["write_page"](), fix
    assert yaml.safe_load(WRITTEN["write_schema"]()) == make_schema()


def test_the_page_names_every_key_once_in_its_group():
    sections = (ROOT / "config" / "README.md").read_text().split("\n## ")[1:]
    found = {part.partition("\n")[0].strip("`"): part for part in sections}
    for key, part in make_schema()["properties"].items():
        names = part.get("properties", {key: part})
        section = found[key] if "properties" in part else found["Without a group"]
        for name in names:
            assert len(re.findall(rf"^\| `{name}` \|", section, re.MULTILINE)) == 1, name


def test_the_forge_runs_what_ci_runs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    local = (ROOT / ".ci" / "run").read_text().splitlines()
    assert steps == [line for line in local if line.startswith("make ")]


def test_the_catalogue_finds_its_layout():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is True and usage["report"] is True
    needed = ("workflow/Snakefile", "workflow/schemas/config.schema.yaml", "config/README.md")
    for path in (*needed, "README.md", "LICENSE"):
        assert (ROOT / path).is_file(), path


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    (paper,) = citation["references"]
    assert paper["identifiers"][0]["value"] in (ROOT / "README.md").read_text()
