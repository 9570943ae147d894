"""The table of how the expert's trajectories were collected: episodes, what was kept, why the rest was not."""

from pathlib import Path

import pandas as pd

from taskreason.report.labels import task_title
from taskreason.report.render.latex import escape, format_steps, make_row, make_tabular
from taskreason.report.results import Results
from taskreason.report.tables.cells import Table, print_rate
from taskreason.report.training_logs import read_json
from taskreason.rollouts.metrics import wilson_interval

REASONS = {
    "kitchen_beyond_bound": "kitchen beyond the bound",
    "not_solved_within_bound": "not solved within it",
    "invalid_action": "impossible action",
    "no_thought": "action without a thought",
    "not_shortest": "not a shortest plan",
    "longer_than_another": "longer than another",
}
COUNTS = ("requests", "prompt_tokens", "reply_tokens")


def make_collection(results: Results) -> Table:
    """One row a task: kitchens, episodes, the share of episodes accepted with its interval, reasons, tokens."""
    records, rows = [], []
    for task in results.tasks:
        path = Path(results.root) / "trajectories" / f"{task}.summary.json"
        summary = read_json(path)
        episodes, accepted = summary["episodes"], summary["accepted"]
        low, high = wilson_interval(accepted, episodes, results.confidence)
        rate = accepted / episodes if episodes else None
        records.append(
            {
                "task": task,
                "expert": summary["policy"],
                "kitchens": summary["kitchens_tried"],
                "episodes": episodes,
                "accepted": accepted,
                "acceptance_rate": rate,
                "low": low,
                "high": high,
                "mean_steps": summary["mean_steps"],
                **{f"rejected_{name}": summary["rejected"].get(name, 0) for name in REASONS},
                **{name: summary[name] for name in COUNTS},
            }
        )
        rejected = summary["rejected"]
        reasons = ", ".join(f"{REASONS.get(name, name)} ({n})" for name, n in rejected.items())
        rows.append(
            make_row(
                task_title(task),
                str(summary["kitchens_tried"]),
                str(episodes),
                print_rate(rate, low, high),
                format_steps(summary["mean_steps"]),
                f"{summary['reply_tokens']:,}",
                escape(reasons or "none"),
            )
        )
    header = make_row(
        "Task", "Kitchens", "Episodes", "Accepted", "Steps", "Tokens written", "Rejected"
    )
    return Table(
        pd.DataFrame(records),
        make_tabular(r"lrrlrrp{0.26\textwidth}", [header, r"\midrule", *rows]),
    )
