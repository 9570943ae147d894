"""Where the project lies, how it is reached and when its files are dated changes nothing that a run makes."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from test_workflow import ROOT, count_jobs, finished, run_snakemake  # noqa: F401

from taskreason.cli.surroundings import check_place, check_times, reset_times
from taskreason.durability.errors import UserError

SMOKE = ["--config", "scale=smoke"]
WORLDS = "results/smoke/worlds/burger/train.jsonl"


def copy_project(folder):
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "paper", "profiles", "envs"):
        ignored = shutil.ignore_patterns("main.pdf", "base_models", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "results").mkdir()


def make_interpreter(folder):
    """An environment inside the project, which sees the packages of this one."""
    command = [sys.executable, "-m", "venv", "--without-pip", folder / ".venv"]
    subprocess.run(command, check=True)
    (site,) = folder.glob(".venv/lib/python3*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "packages.pth").write_text("\n".join(packages) + "\n")
    return folder / ".venv" / "bin" / "python"


@pytest.mark.parametrize(
    "name", ["ein Ordner", "Übung für 実験", "it's", "a $HOME;b", "long" * 50 + "/" + "path" * 50]
)
def test_jobs_run_from_an_environment_in_any_folder(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    copy_project(folder)
    python = make_interpreter(folder)
    command = [python, "-I", folder / "envs" / "run_snakemake.py", WORLDS, "--cores", "1", *SMOKE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / WORLDS).stat().st_size > 0


@pytest.mark.parametrize("name", ["with {braces}", "only}"])
def test_a_folder_that_snakemake_cannot_name_is_refused_in_one_sentence(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    done = run_snakemake(folder, "-n", *SMOKE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"{folder}: Snakemake takes ")
    with pytest.raises(UserError, match="rename the folder"):
        check_place(folder)


@pytest.mark.parametrize("way", ["link", "link to the folder above", "elsewhere", "both"])
def test_a_finished_project_is_finished_by_every_way(finished, tmp_path, monkeypatch, way):  # noqa: F811
    link = tmp_path / "link"
    link.symlink_to(finished)
    root, directory = finished, finished
    if way == "link":
        root = link
    elif way == "link to the folder above":
        (tmp_path / "above").symlink_to(finished.parent)
        root = tmp_path / "above" / finished.name
    elif way == "both":
        root, directory = link, link
    monkeypatch.chdir(tmp_path if way == "elsewhere" else finished)
    assert count_jobs(run_snakemake(directory, "-n", root=root)) == {}


def date_ahead(*paths, hours=2):
    then = time.time() + hours * 3600
    for path in paths:
        os.utime(path, (then, then))


def test_files_of_the_project_from_the_future_count_as_of_now(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    copy_project(folder)
    date_ahead(*(path for path in folder.rglob("*") if path.is_file()))
    for targets in ([WORLDS], ["-n", WORLDS]):
        done = run_snakemake(folder, *targets, *SMOKE, root=folder)
        assert done.returncode == 0, done.stderr[-3000:]
    assert "Nothing to be done" in done.stdout


def test_a_result_from_the_future_is_refused_before_any_job(tmp_path):
    first = tmp_path / WORLDS
    assert run_snakemake(tmp_path, WORLDS, *SMOKE).returncode == 0
    date_ahead(first)
    done = run_snakemake(tmp_path, WORLDS.replace("train", "eval"), *SMOKE)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"{WORLDS}: the file is dated 120 minutes ahead"), done.stderr[-2000:]
    assert first.exists()


def test_only_files_that_are_ahead_get_another_time(tmp_path):
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / "workflow").mkdir()
    old, ahead = tmp_path / "config.yaml", tmp_path / "workflow" / "rule"
    ahead.write_text("")
    os.utime(old, (1e9, 1e9))
    date_ahead(ahead, hours=24 * 365)
    reset_times(tmp_path)
    assert old.stat().st_mtime == 1e9
    assert abs(ahead.stat().st_mtime - time.time()) < 60


def test_a_file_whose_time_cannot_be_set_is_named(tmp_path, monkeypatch):
    ahead = tmp_path / "Snakefile"
    ahead.write_text("")
    date_ahead(ahead)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(UserError, match="dated 120 minutes ahead of this machine's clock"):
        reset_times(tmp_path)
    with pytest.raises(UserError, match="Snakefile"):
        check_times([str(ahead), str(tmp_path / "missing")])
