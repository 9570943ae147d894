"""The benchmark's ten synchronous tasks at the laptop scale: `python benchmarks/ten_tasks.py [--collect] [TASK ...]`.

One task after the other, each in a run of its own, so that no policy plays the other nine: the expert's trajectories
(with --collect nothing else), SFT and SFT + GRPO, and their greedy rollouts in the unseen kitchens of their task. Of
the paper's four tasks, whose policies are in the reference, only the trajectories are made. Without a name, all ten.
Output: results/bench/ten_tasks.csv, in which other tasks' rows stay, and from which `make readme` fills the table in
docs/tasks.md, with the planner's times from results/bench/planner.csv.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import planner

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.files import decode
from taskreason.environments.robotouille.tasks import PUBLISHED, TASKS
from taskreason.report.labels import label_policy
from taskreason.report.render.tables import render_markdown
from taskreason.report.tables.spec import STEPS, Column, Spec, name, spread
from taskreason.rollouts.metrics import read_episodes, summarise, wilson_interval
from taskreason.studies.reference import read_reference, select_cell

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "ten_tasks.csv"
POLICIES = ("sft", "sft_grpo")


def main() -> None:
    """Make what is missing of each task, and keep its row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=[*TASKS], metavar="TASK")
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--cores", default="all")
    options = parser.parse_args()
    if unknown := set(options.tasks) - set(TASKS):
        sys.exit(f"{', '.join(sorted(unknown))}: is no task here; choose from {', '.join(TASKS)}")
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    for task in options.tasks:
        cfg = load_config({"tasks": [task]})
        trained = not (options.collect or task in PUBLISHED)
        run(task, cfg, POLICIES if trained else (), options.cores)
        rows = pd.read_csv(FOUND).set_index("task").to_dict("index") if FOUND.exists() else {}
        rows[task] = rows.get(task, {}) | read_row(task, cfg)
        named = [{"task": known} | rows[known] for known in TASKS if known in rows]
        pd.DataFrame(named).to_csv(FOUND, index=False)


def run(task: str, cfg: Config, policies: Sequence[str], cores: str) -> None:
    """Let the workflow make a task's trajectories and these policies' episodes."""
    out = f"results/{cfg.scale}"
    targets = [f"{out}/trajectories/{task}.summary.json"]
    targets += [f"{out}/episodes/{policy}/{task}/{task}.jsonl" for policy in policies]
    command = ["snakemake", "--cores", cores, "--config", f"tasks=[{task}]", "--", *targets]
    if subprocess.run([sys.executable, "-m", *command], cwd=ROOT).returncode:
        sys.exit(f"{task}: the run has failed; see above, and start this again.")


def read_row(task: str, cfg: Config) -> dict:
    """Decisions and mean steps of the expert's trajectories, and SR of the policies that have played."""
    out = ROOT / "results" / cfg.scale
    summary = decode((out / "trajectories" / f"{task}.summary.json").read_text())
    row = {key: summary[key] for key in ("episodes", "decisions", "mean_steps")}
    for policy in POLICIES:
        path = out / "episodes" / policy / task / f"{task}.jsonl"
        if path.exists():
            confidence, timeout = cfg.report.confidence, cfg.timeout_of(task)
            rate = summarise(read_episodes(path), timeout, confidence, str(path)).rate
            row |= spread({policy: rate})
    return row


def read_known(cfg: Config) -> dict[str, dict]:
    """SR of the reference's policies, task by task."""
    outcomes, _ = read_reference(cfg.env.data / "reference" / cfg.scale)
    rows: dict[str, dict] = {task: {} for task in PUBLISHED}
    for task, row in rows.items():
        for policy in POLICIES:
            won = select_cell(outcomes, policy, task, task)["success"]
            interval = wilson_interval(won.sum(), len(won), cfg.report.confidence)
            row |= spread({policy: (won.mean(), *interval)})
    return rows


def make_table() -> str | None:
    """A row a task, in Markdown; None before anything has been measured."""
    planned = planner.read_found("ours")
    if planned is None:
        return None
    measured = pd.read_csv(FOUND).set_index("task").to_dict("index") if FOUND.exists() else {}
    known = read_known(load_config({}))
    rows = [
        row | measured.get(row["task"], {}) | known.get(row["task"], {})
        for row in planned.to_dict("records")
    ]
    policies = [Column(policy, f"SR, {label_policy(policy)}") for policy in POLICIES]
    steps = Column("mean_steps", "Expert, mean steps", STEPS)
    spec = Spec([name("task", "Task", "`{}`".format)], [*planner.PLANNED, steps, *policies])
    return (
        f"{render_markdown(spec, pd.DataFrame(rows))}\n\nPlanner: processor seconds of one core, in so many varied "
        "kitchens. –: not measured. SR of the paper's four tasks is that of the reference. Made by `python "
        "benchmarks/planner.py` and `python benchmarks/ten_tasks.py`."
    )


if __name__ == "__main__":
    main()
