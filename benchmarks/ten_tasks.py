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

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.files import decode
from taskreason.environments.robotouille.tasks import PUBLISHED, TASKS
from taskreason.report.render.tables import format_rows
from taskreason.rollouts.metrics import read_episodes, summarise, wilson_interval
from taskreason.studies.reference import read_reference, select_cell

ROOT = Path(__file__).resolve().parents[1]
FOUND, PLANNER = (ROOT / "results" / "bench" / f"{name}.csv" for name in ("ten_tasks", "planner"))
POLICIES = {"sft": "SFT", "sft_grpo": "SFT + GRPO"}


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
        known = options.collect or task in PUBLISHED
        run(task, cfg, () if known else POLICIES, options.cores)
        rows = pd.read_csv(FOUND).set_index("task").to_dict("index") if FOUND.exists() else {}
        rows[task] = rows.get(task, {}) | read_row(task, cfg)
        named = [{"task": name} | rows[name] for name in TASKS if name in rows]
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
            row |= name_rate(policy, rate)
    return row


def name_rate(policy: str, rate: tuple[float, float, float]) -> dict[str, float]:
    """SR and its interval as columns of a policy."""
    return dict(zip((f"{policy}{end}" for end in ("", "_low", "_high")), rate, strict=True))


def read_known(cfg: Config) -> dict[str, dict]:
    """SR of the reference's policies, task by task."""
    outcomes, _ = read_reference(cfg.env.data / "reference" / cfg.scale)
    rows: dict[str, dict] = {task: {} for task in PUBLISHED}
    for task, row in rows.items():
        for policy in POLICIES:
            won = select_cell(outcomes, policy, task, task)["success"]
            interval = wilson_interval(won.sum(), len(won), cfg.report.confidence)
            row |= name_rate(policy, (won.mean(), *interval))
    return rows


def make_table() -> str | None:
    """A row a task, in Markdown; None before anything has been measured."""
    if not PLANNER.exists():
        return None
    planned = pd.read_csv(PLANNER).query("part == 'ours'").set_index("task")
    measured = pd.read_csv(FOUND).set_index("task").to_dict("index") if FOUND.exists() else {}
    known = read_known(load_config({}))
    header = ["Task", "Kitchens", "in 10 s", "Planner, median s", "worst s"]
    header += [
        "Shortest plans",
        "Expert, mean steps",
        *(f"SR, {label}" for label in POLICIES.values()),
    ]
    body = []
    for task, plan in planned.iterrows():
        row = measured.get(task, {}) | known.get(task, {})
        cells = [f"`{task}`", f"{plan.kitchens}", f"{plan.within}"]
        cells += [f"{plan.median_s:.2g}", f"{plan.worst_s:.2g}"]
        cells += [f"{plan.shortest:g}–{plan.longest:g}"]
        cells += [f"{row['mean_steps']:.1f}" if "mean_steps" in row else "–"]
        body.append([*cells, *(print_rate(row, policy) for policy in POLICIES)])
    return (
        f"{format_rows(header, body)}\n\nPlanner: processor seconds of one core, in so many varied kitchens. –: not "
        "measured. SR of the paper's four tasks is that of the reference. Made by `python benchmarks/planner.py` and "
        "`python benchmarks/ten_tasks.py`."
    )


def print_rate(row: dict, policy: str) -> str:
    """SR with its interval; a dash where it has not been measured."""
    if pd.isna(row.get(policy)):
        return "–"
    return f"{row[policy]:.2f} [{row[f'{policy}_low']:.2f}, {row[f'{policy}_high']:.2f}]"


if __name__ == "__main__":
    main()
