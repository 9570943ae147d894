"""Runs of `make reproduce` at the smoke scale in clones: made, started, watched by what Snakemake prints, killed.

A job is called by its message, which is the same in every run; the numbers that Snakemake gives to jobs are not.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "--config scale=smoke"

EVENT = re.compile(r"^\[(.+)\]\n(?:Job (\d+): (.*)|Finished jobid: (\d+) .*)$", re.MULTILINE)
SCRIPT = re.compile(r"scripts/tmp\w+\.(\w+)\.py|(pdflatex)")
TIME = "%a %b %d %H:%M:%S %Y"


@dataclass(frozen=True)
class RunLog:
    """started: messages of all jobs that were started; seconds: by message, of those that were finished, in order."""

    started: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def running(self) -> list[str]:
        """Jobs that were started and not finished."""
        return [message for message in self.started if message not in self.seconds]


def read_log(text: str) -> RunLog:
    """Read what one call of Snakemake has printed so far."""
    started: dict[str, tuple[str, datetime]] = {}
    seconds = {}
    for stamp, number, message, finished in EVENT.findall(text):
        now = datetime.strptime(stamp, TIME)
        if number:
            started[number] = message, now
        elif finished in started:
            job, then = started[finished]
            seconds[job] = (now - then).total_seconds()
    return RunLog(tuple(message for message, _ in started.values()), seconds)


def clone(folder: Path) -> None:
    """A fresh copy of what is committed, with the environment that runs this instead of one of its own."""
    if folder.exists():
        return
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    # An environment remembers the folder that it was made for, so the step that would make it is left out.
    (folder / "envs" / "bootstrap.sh").write_text("#!/bin/sh\n")
    (folder / ".venv").symlink_to(sys.prefix)


def start_run(folder: Path, cores: int) -> subprocess.Popen:
    """`make reproduce` as a process group of its own; what it prints goes to run.log."""
    command = ["make", "reproduce", f"CORES={cores}", f"ARGS={CONFIG}"]
    # The library of the clone comes before the installed one.
    path = {"PYTHONPATH": str(folder / "workflow"), "OMP_NUM_THREADS": "1"}
    with (folder / "run.log").open("w") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | path,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def look(folder: Path) -> RunLog:
    """What the current run has said so far."""
    return read_log((folder / "run.log").read_text(errors="replace"))


def finish(folder: Path, cores: int) -> RunLog:
    """Run to the end and say now and then how far it is."""
    run, told = start_run(folder, cores), time.monotonic()
    while run.poll() is None:
        time.sleep(0.2)
        if time.monotonic() - told > 60:
            print(f"{folder.name}: {len(look(folder).seconds)} jobs finished", flush=True)
            told = time.monotonic()
    check(run, folder)
    print(f"{folder.name}: ended, {len(look(folder).seconds)} jobs in this call", flush=True)
    return look(folder)


def check(run: subprocess.Popen, folder: Path) -> None:
    """Give up where a run has ended badly."""
    if run.returncode:
        text = (folder / "run.log").read_text(errors="replace")
        sys.exit(f"{folder}: make reproduce ended with status {run.returncode}\n{text[-3000:]}")


def kill(folder: Path) -> list[str]:
    """SIGKILL everything that works in the folder; the scripts that were running."""
    names = set()
    while working := [process for process in psutil.process_iter() if _works_in(process, folder)]:
        for process in working:
            try:
                found = SCRIPT.findall(" ".join(process.cmdline()))
                process.kill()
            except psutil.Error:
                continue
            names |= {script or program for script, program in found}
        time.sleep(0.1)
    return sorted(names)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        place = Path(process.cwd())
        return process.status() != psutil.STATUS_ZOMBIE and place.is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
