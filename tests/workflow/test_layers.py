"""The contract on imports: layers point one way, and nothing but the registry reaches into an environment."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow" / "taskreason"


def lint(checkout):
    """The exit status of lint-imports and what it says, on the library of a checkout."""
    path = {"PYTHONPATH": str(checkout / "workflow")}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(
        command, cwd=checkout, env=os.environ | path, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(LIBRARY, tmp_path / "workflow" / "taskreason", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_library_keeps_its_contracts(checkout):
    status, said = lint(checkout)
    assert status == 0 and "0 broken" in said, said


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("report/labels.py", "taskreason.environments.robotouille.simulator.domain"),
        ("rollouts/metrics.py", "taskreason.report.labels"),
        ("environments/robotouille/world.py", "taskreason.policies.prompt"),
    ],
)
def test_an_import_that_the_layers_forbid_is_named(checkout, module, imported):
    file = checkout / "workflow" / "taskreason" / module
    file.write_text(f"{file.read_text()}\nimport {imported}  # noqa\n")
    status, said = lint(checkout)
    assert status == 1 and imported in said


def test_the_root_of_the_library_has_at_most_twelve_entries_and_no_module_is_long():
    entries = {path.name for path in LIBRARY.iterdir() if path.is_file() or any(path.rglob("*.py"))}
    assert len(entries) <= 12, entries
    for path in LIBRARY.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path


def test_the_registry_is_the_one_place_that_names_an_environment():
    """By name, since it imports them when they are asked for, which no contract sees."""
    naming = {
        path.relative_to(LIBRARY).as_posix()
        for path in LIBRARY.rglob("*.py")
        if re.search(r"environments[./](robotouille|hanoi)", path.read_text())
        and not path.is_relative_to(LIBRARY / "environments" / "robotouille")
        and not path.is_relative_to(LIBRARY / "environments" / "hanoi")
    }
    assert naming == {"environments/__init__.py"}
