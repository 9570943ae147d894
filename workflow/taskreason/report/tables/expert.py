"""The tables about the expert and the base model: how the expert's trajectories were collected, and what the base model
knows before any training.
"""

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment
from taskreason.report.results import Results
from taskreason.report.tables.main import TASK
from taskreason.report.tables.spec import COUNT, STEPS, Column, Row, Spec, Table, columns, name
from taskreason.report.trainings import read_json
from taskreason.rollouts.metrics import wilson_interval

REASONS = {
    "kitchen_beyond_bound": "plan beyond the bound",
    "not_solved_within_bound": "not solved within it",
    "invalid_action": "impossible action",
    "no_thought": "action without a thought",
    "not_shortest": "not a shortest plan",
    "longer_than_another": "longer than another",
}


def _list_reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of reasons as words: 'not solved within it (12), impossible action (3)'."""

    def tell(row: Row) -> str:
        numbers = {label: row.get(f"rejected_{key}", "0") for key, label in REASONS.items()}
        found = [f"{label} ({number})" for label, number in numbers.items() if number != "0"]
        return ", ".join(found) or "none"

    return rows.assign(rejected=[tell(row) for row in rows.to_dict("records")])


def make_specs(env: Environment) -> dict[str, list[Spec]]:
    """The tables by name, in the words of an environment."""
    worlds = Column("kitchens", env.worlds.capitalize(), COUNT)
    collection = [
        name("expert", "Expert", screen=True),
        worlds,
        *columns(COUNT, episodes="Episodes"),
        Column("acceptance_rate", "Accepted", bounds=""),
        *columns(STEPS, mean_steps="Steps"),
        *columns(COUNT, reply_tokens="Tokens written"),
        name("rejected", "Rejected", align=r"p{0.26\textwidth}"),
    ]
    probes = [
        *columns(COUNT, asked="Asked"),
        Column("right", "Right", COUNT, screen=True),
        Column("rate", "Rate", bounds=""),
    ]
    return {
        "collection": [Spec([TASK], collection, select=_list_reasons)],
        "probes": [Spec([name("probe", "Probe", env.probe_labels.get)], probes)],
    }


def make_collection(results: Results) -> Table:
    """One row a task: worlds, episodes, the share of episodes accepted with its interval, reasons, tokens."""
    records = []
    for task in results.tasks:
        summary = read_json(results.root / "trajectories" / f"{task}.summary.json")
        episodes, accepted = summary["episodes"], summary["accepted"]
        records.append(
            {
                "task": task,
                "expert": summary["policy"],
                "kitchens": summary["kitchens_tried"],
                "episodes": episodes,
                "accepted": accepted,
                **_find_rate(results, "acceptance_rate", accepted, episodes),
                "mean_steps": summary["mean_steps"],
                **{f"rejected_{why}": summary["rejected"].get(why, 0) for why in REASONS},
                **{key: summary[key] for key in ("requests", "prompt_tokens", "reply_tokens")},
            }
        )
    return Table(pd.DataFrame(records), make_specs(results.cfg.env)["collection"])


def make_probes(results: Results) -> Table:
    """One row a probe: right answers out of those asked, with the Wilson interval."""
    path = results.root / "probes" / "base.json"
    counts, records = read_json(path), []
    for probe in results.cfg.env.probe_labels:
        try:
            right, asked = counts[probe]["right"], counts[probe]["asked"]
        except (KeyError, TypeError):
            raise UserError(
                f"{path}: lacks the counts of '{probe}'; delete it and run snakemake again"
            ) from None
        rate = _find_rate(results, "rate", right, asked)
        records.append({"probe": probe, "asked": asked, "right": right} | rate)
    csv = pd.DataFrame(records, columns=["probe", "asked", "right", "rate", "low", "high"])
    return Table(csv, make_specs(results.cfg.env)["probes"])


def _find_rate(results: Results, key: str, hits: int, total: int) -> dict[str, float | None]:
    """A share with its Wilson interval, as columns."""
    low, high = wilson_interval(hits, total, results.cfg.report.confidence)
    return {key: hits / total if total else None, "low": low, "high": high}
