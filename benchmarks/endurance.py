"""Kill a run at random moments, and run it on one core and on several: does it always end with the same results?

Three clones of what is committed make everything at the smoke scale: one undisturbed, one on a single core, and one in
which `make reproduce` is killed with SIGKILL, its jobs too, at moments drawn at random, and started again. Compared are
all trajectories, episodes, models, tables, macros and figures, byte by byte; macros that quote wall times, and with
them the PDF, can't be the same. Takes about half an hour on two cores:

    python benchmarks/endurance.py --kills 20

Output: results/bench/endurance.json. The exit status is 1 where results differ or a finished job was done again.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "--config scale=smoke"
COMPARED = {
    "trajectories": ["results/smoke/trajectories/*.jsonl", "results/smoke/kitchens/**/*.jsonl"],
    "models": ["results/smoke/models/**/*.safetensors"],
    "episodes": ["results/smoke/episodes/**/*.jsonl", "results/smoke/single_turn/**/*.json"],
    "tables": ["results/tables/*"],
    "macros": ["results/*.tex"],
    "figures": ["results/figures/*"],
}
WALL_TIME = re.compile(rb"^.*minutes.*\n", re.MULTILINE | re.IGNORECASE)
MESSAGE = re.compile(r"^Job (\d+): (.*)$", re.MULTILINE)
FINISHED = re.compile(r"^Finished jobid: (\d+) ", re.MULTILINE)
STARTUP_S = 12
"""Seconds of a start in which no job runs yet, left out when the moments are drawn."""


def main() -> int:
    """Make all runs, compare them and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "bench" / "endurance")
    args = parser.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    undisturbed, single, killed = (
        clone(args.work / name) for name in ("undisturbed", "single", "killed")
    )
    start = time.monotonic()
    finish(undisturbed, args.cores)
    whole = time.monotonic() - start
    finish(single, 1)
    moments, done = kill_often(killed, args.cores, args.kills, whole, random.Random(args.seed))
    wanted = list_sums(undisturbed)
    found = {
        "kills": len(moments),
        "killed_during": dict(Counter(name for names in moments for name in names)),
        "jobs": len(done),
        "jobs_done_again": sorted(name for name, times in done.items() if times > 1),
        "trainings_resumed": count_resumed(killed),
        "undisturbed_s": round(whole),
        "files": {kind: len(files) for kind, files in wanted.items()},
        "differ_after_kills": list_differences(wanted, list_sums(killed)),
        f"differ_on_1_core_from_{args.cores}": list_differences(wanted, list_sums(single)),
    }
    out = ROOT / "results" / "bench" / "endurance.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    wrong = [found[key] for key in found if key.startswith("differ")] + [found["jobs_done_again"]]
    return 1 if any(wrong) else 0


def clone(folder: Path) -> Path:
    """A fresh copy of what is committed, with this checkout's environment instead of one of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    # The environment remembers the folder that it was made for, so the step that would make it is left out.
    (folder / "envs" / "bootstrap.sh").write_text("#!/bin/sh\n")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def start_run(folder: Path, cores: int, log: Path) -> subprocess.Popen:
    """`make reproduce` as a process group of its own."""
    command = ["make", "reproduce", f"CORES={cores}", f"ARGS={CONFIG}"]
    with log.open("w") as output:
        return subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def finish(folder: Path, cores: int) -> str:
    """Run to the end; what Snakemake said."""
    log = folder / "run.log"
    status = start_run(folder, cores, log).wait()
    if status:
        sys.exit(f"{folder}: make reproduce ended with status {status}\n{log.read_text()[-3000:]}")
    return log.read_text()


def kill_often(
    folder: Path, cores: int, kills: int, whole: float, rng: random.Random
) -> tuple[list[list[str]], Counter]:
    """Kill run after run, then let one end: what was running at each kill, and how often every job was finished."""
    moments, done = [], Counter()
    for number in range(kills):
        log = folder / "run.log"
        run = start_run(folder, cores, log)
        time.sleep(STARTUP_S + rng.uniform(0.2, 1.8) * whole / kills)
        if run.poll() is not None:
            done.update(list_finished(log.read_text()))
            break
        moments.append(kill(run, folder))
        done.update(list_finished(log.read_text()))
        print(f"kill {number + 1}/{kills} during {', '.join(moments[-1]) or 'no job'}", flush=True)
    done.update(list_finished(finish(folder, cores)))
    return moments, done


def kill(run: subprocess.Popen, folder: Path) -> list[str]:
    """SIGKILL everything that works in the folder; the scripts that were running."""
    names = []
    while True:
        working = [process for process in psutil.process_iter() if _works_in(process, folder)]
        if not working:
            break
        for process in working:
            try:
                names += re.findall(
                    r"scripts/tmp\w+\.(\w+)\.py|(pdflatex)", " ".join(process.cmdline())
                )
                process.kill()
            except psutil.Error:
                continue
        time.sleep(0.1)
    run.wait()
    return sorted({script or program for script, program in names})


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(
            folder
        )
    except (psutil.Error, OSError):
        return False


def list_finished(output: str) -> list[str]:
    """The jobs that Snakemake called finished, by their messages."""
    messages = dict(MESSAGE.findall(output))
    return [messages[number] for number in FINISHED.findall(output) if number in messages]


def count_resumed(folder: Path) -> int:
    """Trainings whose last attempt went on from a checkpoint."""
    logs = (folder / "results").rglob("*.log")
    return sum("resuming from" in log.read_text(errors="replace") for log in logs)


def list_sums(folder: Path) -> dict[str, dict[str, str]]:
    """SHA-256 of every compared file, by kind and path."""
    return {
        kind: {
            str(path.relative_to(folder)): sum_up(path)
            for pattern in patterns
            for path in sorted(folder.glob(pattern))
            if path.is_file()
        }
        for kind, patterns in COMPARED.items()
    }


def sum_up(path: Path) -> str:
    """SHA-256 of a file, less the macros that quote wall times."""
    content = path.read_bytes()
    return hashlib.sha256(
        WALL_TIME.sub(b"", content) if path.suffix == ".tex" else content
    ).hexdigest()


def list_differences(wanted: dict, found: dict) -> list[str]:
    """Files that are missing, too many or different."""
    return sorted(
        path
        for kind in wanted
        for path in wanted[kind].keys() | found[kind].keys()
        if wanted[kind].get(path) != found[kind].get(path)
    )


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main())
