"""How busy the cores are while `make reproduce` runs in a fresh clone, and what runs on them.

    python benchmarks/cores.py [FOLDER] [--cores 2]    # where the clone is made; default results/bench/cores

The clone makes an environment of its own, whose time is included; LaTeX has to be there. Nothing else should run
meanwhile. Output: results/bench/cores.json, and the chart docs/cores.png: above, the share of the cores' time that is
used, a point every ten seconds; below, one bar a job that took five seconds or more, in the order of their starts.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import psutil
from runs import EVENT, TIME

from taskreason.durability.provenance import describe_hardware

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "cores.json"
CHART = ROOT / "docs" / "cores.png"
SHORT = 5
"""Seconds below which a job has no bar."""
WIDTH = 10
"""Seconds of one point."""
KINDS = {
    "SFT on": "SFT",
    "GRPO on": "GRPO",
    "Longer SFT": "longer SFT",
    "Rollouts": "rollouts",
    "Probing": "rollouts",
}
"""How messages of jobs begin, and the colour that they share; all others are "other"."""


def main() -> int:
    """Run, measure and draw; 1 where the run fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "results/bench/cores")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    folder = args.folder.resolve()
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    began = time.time()
    with (folder / "run.log").open("w") as output:
        run = subprocess.Popen(
            ["make", "reproduce", f"CORES={args.cores}"],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    busy = []
    psutil.cpu_percent()
    while run.poll() is None:
        time.sleep(1)
        busy.append(psutil.cpu_percent() / 100)
    seconds = time.time() - began
    if run.returncode:
        print(f"{folder}/run.log: make reproduce ended with status {run.returncode}")
        return 1
    jobs = list_jobs((folder / "run.log").read_text(errors="replace"), began)
    inside = slice(int(min(start for _, start, _ in jobs)), int(max(end for *_, end in jobs)))
    found = {
        "seconds": round(seconds, 1),
        "seconds_before_the_first_job": round(min(start for _, start, _ in jobs), 1),
        "busy_share_of_jobs": round(float(np.mean(busy[inside])), 3),
        "cores": args.cores,
        "hardware": describe_hardware(),
        "busy": [round(share, 2) for share in busy],
        "jobs": jobs,
    }
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(json.dumps(found) + "\n")
    draw(found)
    print({key: value for key, value in found.items() if key not in ("busy", "jobs")})
    return 0


def list_jobs(text: str, began: float) -> list[tuple[str, float, float]]:
    """Message, start and end of every job that Snakemake's output tells of, in seconds after ``began``."""
    running, jobs = {}, []
    for stamp, number, message, finished in EVENT.findall(text):
        now = datetime.strptime(stamp, TIME).timestamp() - began
        if number:
            running[number] = message, now
        elif finished in running:
            jobs.append((*running.pop(finished), now))
    return sorted(jobs, key=lambda job: job[1])


def draw(found: dict) -> None:
    """The chart."""
    jobs = [job for job in found["jobs"] if job[2] - job[1] >= SHORT]
    figure, (above, below) = plt.subplots(
        2,
        1,
        sharex=True,
        figsize=(9, 3 + len(jobs) / 8),
        height_ratios=(1, 5),
        layout="constrained",
    )
    busy = np.array(found["busy"])
    blocks = np.array([busy[n : n + WIDTH].mean() for n in range(0, len(busy), WIDTH)])
    above.fill_between(np.arange(len(blocks)) * WIDTH / 60, blocks, step="post", alpha=0.6)
    above.set(ylabel="cores in use", ylim=(0, 1), yticks=(0, 0.5, 1))
    above.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    kinds = [*dict.fromkeys(KINDS.values()), "other"]
    colours = dict(zip(kinds, plt.get_cmap("tab10").colors, strict=False))
    for row, (message, start, end) in enumerate(jobs):
        kind = next((kind for word, kind in KINDS.items() if message.startswith(word)), "other")
        below.barh(row, (end - start) / 60, left=start / 60, color=colours[kind])
    short = [message if len(message) < 60 else message[:57] + "…" for message, *_ in jobs]
    below.set(xlabel="minutes after the command", yticks=range(len(jobs)), ylim=(len(jobs), -1))
    below.set_yticklabels(short, fontsize=6)
    figure.savefig(CHART, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
