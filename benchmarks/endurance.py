"""Kill a run at random moments, and run it on one core and on several: does it always end with the same results?

Clones of what is committed make everything at the smoke scale by `make reproduce`: one undisturbed, one on a single
core, and one that is killed with SIGKILL, its jobs too, and started again. The kills are spread over the run by drawing
after how many finished jobs each falls, and then how far into a job; every second one that meets a training waits for
its next checkpoint. Where the run ends before all kills have fallen, the rest falls in another clone. Compared are all
trajectories, episodes, models, tables, macros and figures, byte by byte; macros that quote wall times, and with them
the PDF and the page of the run, can't be the same. On two cores that nobody else uses it takes about three quarters of
an hour:

    python benchmarks/endurance.py --kills 20

Called again with the same arguments, at the same commit, it goes on where it was stopped. It says what it does as it
goes; what was found is in results/bench/endurance.json. The exit status is 1 where results differ, a finished job was
done again, or something was left over.
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
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runs import ROOT, check, clone, finish, kill, look, start_run

COMPARED = {
    "trajectories": ["results/smoke/trajectories/*.jsonl", "results/smoke/worlds/**/*.jsonl"],
    "models": ["results/smoke/models/**/*.safetensors"],
    "episodes": ["results/smoke/episodes/**/*.jsonl", "results/smoke/single_turn/**/*.json"],
    "tables": ["results/tables/*"],
    "macros": ["results/*.tex"],
    "figures": ["results/figures/*", "results/gallery/*.html"],
}
LEFT_OVER = (
    "**/*.partial",
    "**/.*.tmp",
    "**/*.unfinished.json",
    "**/*.damaged",
    "*/checkpoints/**/*.*",
)
TRAINING = re.compile(r"(SFT|GRPO|Longer SFT) on ")
WALL_TIME = re.compile(rb"^.*minutes.*\n", re.MULTILINE | re.IGNORECASE)


@dataclass
class Progress:
    """What is done so far, kept beside the clones.

    seconds: of the jobs of the undisturbed run; begun: for each clone that is killed, the kills before it; finished:
    how often each job has ended in the last of them; again: jobs that have ended twice in one clone.
    """

    arguments: dict
    undisturbed_s: float = 0
    seconds: dict[str, float] = field(default_factory=dict)
    kills: list[list[str]] = field(default_factory=list)
    begun: list[int] = field(default_factory=lambda: [0])
    finished: dict[str, int] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    resumed: int = 0
    repaired: int = 0
    killed_ended: bool = False
    single_ended: bool = False


def main() -> int:
    """Make all runs, compare them and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "bench" / "endurance")
    args = parser.parse_args()
    work = args.work.resolve()
    done = take_up(
        work, {"commit": read_commit()} | {k: getattr(args, k) for k in ("kills", "seed", "cores")}
    )
    undisturbed, single = work / "undisturbed", work / "single"
    if not done.undisturbed_s:
        shutil.rmtree(undisturbed, ignore_errors=True)
        clone(undisturbed)
        start = time.monotonic()
        done.seconds = finish(undisturbed, args.cores).seconds
        done.undisturbed_s = round(time.monotonic() - start)
        save(work, done)
    while not done.killed_ended:
        kill_often(name_killed(work, done)[-1], work, done, args)
    if not done.single_ended:
        clone(single)
        finish(single, 1)
        done.single_ended = True
        save(work, done)
    return report(done, undisturbed, name_killed(work, done), single)


def name_killed(work: Path, done: Progress) -> list[Path]:
    """The clones that are killed, the present one last."""
    return [work / f"killed{number + 1}" for number in range(len(done.begun))]


def report(done: Progress, undisturbed: Path, killed: list[Path], single: Path) -> int:
    """Compare the runs, write and print what was found; 1 where something is wrong."""
    wanted = list_sums(undisturbed)
    found = {
        "cores": done.arguments["cores"],
        "jobs": len(done.seconds),
        "kills": len(done.kills),
        "killed_during": dict(Counter(name for names in done.kills for name in names)),
        "trainings_resumed": done.resumed,
        "undisturbed_s": done.undisturbed_s,
        "files_compared": {kind: len(files) for kind, files in wanted.items()},
        "wrong": {
            "differ_after_kills": [
                path for place in killed for path in list_differences(wanted, list_sums(place))
            ],
            "differ_on_one_core": list_differences(wanted, list_sums(single)),
            "jobs_done_again": done.again,
            "left_over": [path for place in killed for path in list_left_over(place)],
            "taken_for_damaged": done.repaired,
        },
    }
    out = ROOT / "results" / "bench" / "endurance.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 1 if any(found["wrong"].values()) else 0


def read_commit() -> str:
    """The commit that is cloned."""
    command = ["git", "-C", ROOT, "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def take_up(work: Path, arguments: dict) -> Progress:
    """The progress of an earlier call with the same arguments, or a new one in an empty folder."""
    # What an earlier call has started may have outlived it.
    kill(work)
    try:
        done = Progress(**json.loads((work / "progress.json").read_text()))
    except (OSError, ValueError, TypeError):
        done = Progress({})
    if done.arguments != arguments:
        shutil.rmtree(work, ignore_errors=True)
        done = Progress(arguments)
        save(work, done)
    return done


def save(work: Path, done: Progress) -> None:
    """Write the progress, so that it is there whole or as it was before."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "progress.tmp").write_text(json.dumps(asdict(done)))
    os.replace(work / "progress.tmp", work / "progress.json")


def kill_often(folder: Path, work: Path, done: Progress, args: argparse.Namespace) -> None:
    """Kill run after run in a clone, then let one end; begin another clone where kills are left."""
    clone(folder)
    rng = random.Random(args.seed + len(done.begun) - 1)
    left = args.kills - done.begun[-1]
    # Of the last two jobs little is left to be killed in.
    thresholds = sorted(rng.sample(range(len(done.seconds) - 2), left))
    depths = [rng.uniform(0, 0.9) for _ in thresholds]
    for number in range(len(done.kills) - done.begun[-1], left):
        started = time.time()
        run = start_run(folder, args.cores)
        found = wait_for_moment(run, folder, done, thresholds[number], depths[number])
        if found and number % 2:
            found = wait_for_checkpoint(run, folder, started)
        if not found:
            # It ended before its moment, which leaves nothing to kill.
            count(folder, started, done)
            check(run, folder)
            break
        done.kills.append(kill(folder))
        run.wait()
        count(folder, started, done)
        save(work, done)
        print(
            f"kill {len(done.kills)} of {args.kills}, {len(done.finished)} of {len(done.seconds)} jobs "
            f"finished, during {', '.join(done.kills[-1]) or 'no job'}",
            flush=True,
        )
    started = time.time()
    finish(folder, args.cores)
    count(folder, started, done)
    done.again += [name for name, times in done.finished.items() if times > 1]
    done.finished = {}
    if len(done.kills) < args.kills:
        done.begun.append(len(done.kills))
    else:
        done.killed_ended = True
    save(work, done)


def wait_for_moment(
    run: subprocess.Popen, folder: Path, done: Progress, threshold: int, depth: float
) -> bool:
    """Until so many jobs are finished and one is running, and then a share of the shortest running one's time."""
    while run.poll() is None:
        log = look(folder)
        if len(done.finished.keys() | log.seconds.keys()) >= threshold and log.running:
            time.sleep(depth * min(done.seconds.get(job, 1) for job in log.running))
            return run.poll() is None
        time.sleep(0.2)
    return False


def wait_for_checkpoint(run: subprocess.Popen, folder: Path, started: float) -> bool:
    """Until a training has written a checkpoint in this run, or none runs any more."""
    checkpoints = folder / "results" / "smoke" / "checkpoints"
    while run.poll() is None:
        whole = checkpoints.glob("**/checkpoint-*/checksums.json")
        if any(file.stat().st_mtime > started for file in whole):
            return True
        if not any(map(TRAINING.match, look(folder).running)):
            return True
        time.sleep(0.05)
    return False


def count(folder: Path, started: float, done: Progress) -> None:
    """Add what a run has finished, resumed and taken for damaged."""
    for job in look(folder).seconds:
        done.finished[job] = done.finished.get(job, 0) + 1
    done.repaired += (folder / "run.log").read_text(errors="replace").count("; kept as ")
    logs = [log for log in (folder / "results").rglob("*.log") if log.stat().st_mtime >= started]
    done.resumed += sum("resuming from" in log.read_text(errors="replace") for log in logs)


def list_left_over(folder: Path) -> list[str]:
    """Unfinished work and locks that a run should have removed."""
    found = [path for pattern in LEFT_OVER for path in (folder / "results").glob(pattern)]
    found += (folder / ".snakemake" / "locks").glob("*")
    found += (folder / ".snakemake" / "incomplete").glob("*")
    return sorted(str(path.relative_to(folder)) for path in found)


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
    sys.exit(main())
