"""The library as a wheel: outside any checkout, from any folder, without torch for everything that needs no model."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ("torch", "transformers", "trl", "datasets", "accelerate", "snakemake")
BLOCK = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(f"{{name}} is not installed")

sys.meta_path.insert(0, Block())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds what a wheel built from the checkout installs."""
    folder = tmp_path_factory.mktemp("wheel")
    # In a copy, since a build leaves files of its own that later ones would take for sources.
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflow" / "taskreason", folder / "workflow/taskreason", ignore=ignore)
    build = [sys.executable, "-m", "pip", "wheel", str(folder), "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*build, "-q", "-w", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, folder, *arguments, blocked=True, **options):
    """A call of the command, which finds the wheel's modules and no others of the project."""
    paths = [str(installed)]
    if blocked:
        (folder / "blocked").mkdir(exist_ok=True)
        (folder / "blocked" / "sitecustomize.py").write_text(BLOCK)
        paths.insert(0, str(folder / "blocked"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MPLCONFIGDIR": str(folder)}
    command = [sys.executable, "-m", "taskreason.cli.main", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_that_the_library_reads_is_in_the_wheel(installed):
    package = ROOT / "workflow" / "taskreason"
    files = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    files = {path for path in files if "__pycache__" not in path.parts}
    shipped = installed / "taskreason"
    assert files == {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}


def test_what_needs_no_model_works_without_torch(installed, tmp_path):
    layouts = run(
        installed, tmp_path, "generate", "--task", "burger", "--count", "2", "--seed", "3"
    )
    (tmp_path / "layouts.jsonl").write_text(layouts)
    assert len(layouts.splitlines()) == 2
    plans = [
        json.loads(line) for line in run(installed, tmp_path, "plan", "layouts.jsonl").splitlines()
    ]
    request = {"layout": json.loads(layouts.splitlines()[0]), "actions": plans[0]["plan"]}
    replayed = json.loads(run(installed, tmp_path, "replay", "-", input=json.dumps(request)))
    assert replayed["steps"][-1]["done"]
    for policy in ("planner", "random", "greedy"):
        options = ["--policy", policy, "--layouts", "layouts.jsonl", "--timeout", "30"]
        episodes = [
            json.loads(x) for x in run(installed, tmp_path, "rollout", *options).splitlines()
        ]
        assert [e["optimal_steps"] for e in episodes] == [p["optimal_steps"] for p in plans]
        assert policy != "planner" or all(e["steps"] == e["optimal_steps"] for e in episodes)
    assert "1. " in run(installed, tmp_path, "explain", "--task", "burger")
    (tmp_path / "toast.json").write_text(layouts.splitlines()[0])
    assert "task_settings:" in run(installed, tmp_path, "propose", "toast.json")
    assert "Stopped" in run(installed, tmp_path, "play", "--task", "burger", input="hint\nquit\n")


def test_the_bundled_model_plays_from_any_folder(installed, tmp_path):
    layouts = run(installed, tmp_path, "generate", "--task", "burger", "--seed", "3")
    (tmp_path / "layouts.jsonl").write_text(layouts)
    options = ["--policy", "bundled:base_model", "--layouts", "layouts.jsonl", "--timeout", "2"]
    (line,) = run(installed, tmp_path, "rollout", *options, blocked=False).splitlines()
    assert json.loads(line)["model"].endswith("base_model") and json.loads(line)["steps"] == 2
