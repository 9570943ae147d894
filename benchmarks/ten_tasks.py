"""The benchmark's ten synchronous tasks at the laptop scale: `python benchmarks/ten_tasks.py [--collect] [TASK ...]`.

One task after the other, each in a run of its own, so that no policy plays the other nine: the expert's trajectories,
SFT and SFT + GRPO, and their greedy rollouts in the unseen kitchens of their task. --collect: the trajectories alone.
Without a name, all ten. Output: results/bench/ten_tasks.csv, in which other tasks' rows stay, and from which
`make readme` fills the table in docs/tasks.md, with the planner's times from results/bench/planner.csv.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.files import read_json
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.report.render.tables import format_rows
from taskreason.rollouts.metrics import read_episodes, summarise

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
        run(task, cfg, () if options.collect else POLICIES, options.cores)
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
    summary = read_json(out / "trajectories" / f"{task}.summary.json")
    row = {key: summary[key] for key in ("episodes", "decisions", "mean_steps")}
    for policy in POLICIES:
        path = out / "episodes" / policy / task / f"{task}.jsonl"
        if path.exists():
            confidence, timeout = cfg.report.confidence, cfg.timeout_of(task)
            rate = summarise(read_episodes(path), timeout, confidence, str(path)).rate
            row |= dict(zip((f"{policy}{end}" for end in ("", "_low", "_high")), rate, strict=True))
    return row


def make_table() -> str | None:
    """A row a task, in Markdown; None before anything has been measured."""
    if not (FOUND.exists() and PLANNER.exists()):
        return None
    planned = pd.read_csv(PLANNER).query("part == 'ours'").set_index("task")
    rows = pd.read_csv(FOUND).set_index("task")
    header = ["Task", "Kitchens", "in 10 s", "Planner, median s", "worst s"]
    header += [
        "Shortest plans",
        "Expert, mean steps",
        *(f"SR, {label}" for label in POLICIES.values()),
    ]
    body = []
    for task, plan in planned.iterrows():
        row = rows.loc[task] if task in rows.index else pd.Series(dtype=float)
        cells = [f"`{task}`", f"{plan.kitchens}", f"{plan.within}"]
        cells += [f"{plan.median_s:.2g}", f"{plan.worst_s:.2g}"]
        cells += [f"{plan.shortest:g}–{plan.longest:g}"]
        cells += [f"{row.mean_steps:.1f}" if "mean_steps" in row else "–"]
        body.append([*cells, *(print_rate(row, policy) for policy in POLICIES)])
    return (
        f"{format_rows(header, body)}\n\nPlanner: processor seconds of one core, in so many varied kitchens. –: not "
        "measured. Made by `python benchmarks/planner.py` and `python benchmarks/ten_tasks.py`."
    )


def print_rate(row: pd.Series, policy: str) -> str:
    """SR with its interval."""
    if policy not in row or pd.isna(row[policy]):
        return "–"
    return f"{row[policy]:.2f} [{row[f'{policy}_low']:.2f}, {row[f'{policy}_high']:.2f}]"


if __name__ == "__main__":
    main()
