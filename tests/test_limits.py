"""A machine that runs out of something, or says no: one sentence, nothing lost."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taskreason.errors import UserError
from taskreason.faults import check_writable, explain_fault

ROOT = Path(__file__).resolve().parents[1]
TARGET = "results/smoke/trajectories/burger.jsonl"
SNAKEMAKE = (
    f"'{sys.executable}' -m snakemake -s '{ROOT}/Snakefile' --cores 1 --config scale=smoke --"
)


def can_unshare(*spaces):
    command = ["unshare", *spaces, "true"]
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(command, capture_output=True).returncode == 0
    )


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not can_unshare("--mount"), reason="mounts need root"
)
needs_no_network = pytest.mark.skipif(
    not can_unshare("--net", "--map-root-user"), reason="network namespaces are not allowed here"
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
    assert "no room left on the disk" in explain_fault(full, tmp_path)
    denied = explain_fault(PermissionError(errno.EACCES, "Permission denied", "a/b"), tmp_path)
    assert denied.startswith("a/b: ") and "Permission denied" in denied
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ):
        assert "not enough memory" in explain_fault(error, tmp_path)
    assert explain_fault(ValueError("wrong"), tmp_path) is None
    assert explain_fault(KeyError("memory"), Path("nowhere")) is None


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


@needs_no_network
def test_trajectories_training_and_tables_need_no_network(tmp_path):
    target = "results/smoke/models/burger/sft/model.safetensors"
    done = run(tmp_path, f"{SNAKEMAKE} {target}", "--net", "--map-root-user")
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_path_with_blanks_and_letters_of_other_languages(tmp_path):
    folder = tmp_path / "ein Ordner für 実験"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", TARGET, "--config", "scale=smoke"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    # Moved elsewhere, everything that was made still counts.
    moved = folder.rename(tmp_path / "moved")
    done = subprocess.run([*command, "-n"], cwd=moved, capture_output=True, text=True)
    assert "Nothing to be done" in done.stdout + done.stderr
