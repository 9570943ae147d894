"""A machine that runs out of something, or says no: one sentence, nothing lost."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from namespaces import can_unshare
from taskreason.durability.errors import UserError, check_writable, explain_machine_error

ROOT = Path(__file__).resolve().parents[2]
TARGET = "results/smoke/trajectories/burger.jsonl"
SNAKEMAKE = (
    f"'{sys.executable}' -m snakemake -s '{ROOT}/Snakefile' --cores 1 --config scale=smoke --"
)


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not can_unshare("--mount"), reason="mounts need root"
)


def run(folder, script, *spaces):
    """A shell script in namespaces of its own."""
    return subprocess.run(
        ["unshare", *spaces, "sh", "-c", script],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_faults_of_the_machine_are_told_from_others(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", "a")
    assert "no room left on the disk" in explain_machine_error(full, tmp_path)
    denied = explain_machine_error(
        PermissionError(errno.EACCES, "Permission denied", "a/b"), tmp_path
    )
    assert denied.startswith("a/b: ") and "Permission denied" in denied
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ):
        assert "not enough memory" in explain_machine_error(error, tmp_path)
    assert explain_machine_error(ValueError("wrong"), tmp_path) is None
    assert explain_machine_error(KeyError("memory"), Path("nowhere")) is None


JOB = f"""
import sys
from types import SimpleNamespace

sys.path.insert(0, {str(ROOT / "workflow" / "scripts")!r})
from job import logged

with logged(SimpleNamespace(log=["results/logs/a.log"], threads=1, input=[], output=[], params={{}})):
    from taskreason.training.base_model import install_base
"""


@pytest.mark.parametrize("kilobytes", [300_000, 800_000])
def test_a_job_that_may_take_too_little_memory_says_so(tmp_path, kilobytes):
    """Wherever it fails: here the training libraries can't be loaded, which each of them tells in its own way."""
    (tmp_path / "results" / "logs").mkdir(parents=True)
    command = f"ulimit -v {kilobytes}; exec '{sys.executable}' -c \"$JOB\""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"JOB": JOB},
        capture_output=True,
        text=True,
    )
    log = (tmp_path / "results/logs/a.log").read_text()
    assert done.returncode == 2, log
    assert done.stderr == log and log.startswith("there is not enough memory for the job; allow")


def test_a_file_in_the_place_of_the_results_is_named(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError, match="results: "):
        check_writable(tmp_path / "results")


@needs_mounts
def test_results_that_cannot_be_written_are_noticed_before_the_first_job(tmp_path):
    script = "mkdir results; mount --bind results results; mount -o remount,ro,bind results; "
    done = run(tmp_path, script + f"{SNAKEMAKE} {TARGET}", "--mount")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "results: results can't be written there" in done.stdout


@needs_mounts
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(tmp_path):
    script = f"""
        mkdir results; mount -t tmpfs -o size=48k tmpfs results
        {SNAKEMAKE} {TARGET} && exit 9
        cat results/smoke/logs/*/*.log
        mount -o remount,size=50m results
        {SNAKEMAKE} {TARGET} && cp {TARGET} .
    """
    done = run(tmp_path, script, "--mount")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Traceback" not in done.stdout
    assert "results: there is no room left on the disk; make room" in done.stdout
    assert (tmp_path / "burger.jsonl").read_text().count("\n") > 30


def test_a_path_with_blanks_and_letters_of_other_languages(tmp_path):
    folder = tmp_path / "ein Ordner für 実験"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", TARGET, "--config", "scale=smoke"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    # In another clone, where every script and resource is newer, and moved elsewhere, all of it still counts.
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", ROOT, other], check=True)
    for name in ("results", ".snakemake"):
        subprocess.run(["cp", "-a", folder / name, other], check=True)
    for place in (other, folder.rename(tmp_path / "moved")):
        done = subprocess.run([*command, "-n"], cwd=place, capture_output=True, text=True)
        assert "Nothing to be done" in done.stdout + done.stderr
