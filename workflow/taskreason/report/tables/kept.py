"""What a reference's outcomes come to, for scales that take too long to be run for every page.

Input: the outcomes of :func:`taskreason.studies.reference.read_reference`, world by world; output: rows and how they
are printed. A row for each task and policy, and a row for each gain, both of the likeliest replies and of sampled ones.
"""

from typing import Any

import pandas as pd

from taskreason.config.models import Config
from taskreason.environments.base import TaskSpec
from taskreason.report.inputs import find_kept
from taskreason.report.labels import MAIN_POLICIES, label_policy, task_title
from taskreason.report.results import Results
from taskreason.report.tables.spec import (
    COUNT,
    P_VALUE,
    SIGNED,
    STEPS,
    Column,
    Spec,
    Table,
    columns,
    name,
)
from taskreason.rollouts.metrics import compare_pairs, paired_gain, wilson_interval
from taskreason.studies.reference import GREEDY, read_reference, select_cell

SAMPLED = "T1"
DECODINGS = {"greedy": GREEDY, "sampled": SAMPLED}
GAINS = (
    ("sft", "base"),
    *(("sft_longer", "sft"), ("sft_grpo", "sft"), ("sft_grpo", "sft_longer")),
)
"""What has had more training, and what it is held against."""
TASK = name("task", "Task", task_title)
RATES = Spec(
    [TASK, name("policy", "Policy", label_policy)],
    [
        Column("episodes", "Episodes", COUNT),
        Column("greedy", "SR, greedy|all"),
        Column("within", "SR, greedy|within"),
        Column("beyond", "SR, greedy|beyond"),
        Column("sampled", "SR, sampled|all"),
        *columns(STEPS, asat="ASAT", asst="ASST"),
    ],
)
OVER = Spec(
    [TASK, name("policy", "Policy", label_policy), name("over", "Gain over", label_policy)],
    [
        Column("greedy", "greedy|Gain", SIGNED),
        *columns(COUNT, greedy_won="greedy|Won", greedy_lost="greedy|Lost"),
        Column("greedy_p", "greedy|p", P_VALUE),
        Column("sampled", "sampled|Gain", SIGNED),
        Column("sampled_p", "sampled|p", P_VALUE),
    ],
)
SPECS = {"pretrained": [RATES], "pretrained_gains": [OVER]}


def make_kept(results: Results, name: str) -> Table:
    """The table of that name, of what is kept of the pretrained scale."""
    kept = read_kept(results.cfg)
    assert kept, "a run without it has no such table"
    return Table(kept[0][name], SPECS[name])


def read_kept(cfg: Config) -> tuple[dict[str, pd.DataFrame], dict[str, Any]] | None:
    """The rows of every table, by its name, and how the run was made; None where nothing is kept."""
    folder = find_kept(cfg)
    if folder is None:
        return None
    outcomes, record = read_reference(folder)
    return list_rows(outcomes, record["config"]["tasks"], cfg), record


def list_rows(outcomes: pd.DataFrame, tasks: list[str], cfg: Config) -> dict[str, pd.DataFrame]:
    """The rows of every table, by its name."""
    specs = {task: cfg.env.tasks[task] for task in tasks}
    return {
        "pretrained": list_rates(outcomes, specs, cfg.report.confidence),
        "pretrained_gains": list_gains(outcomes, tasks, cfg.report.confidence),
    }


def list_rates(
    outcomes: pd.DataFrame, specs: dict[str, TaskSpec], confidence: float
) -> pd.DataFrame:
    """One row a task and policy that has played it.

    The bound is that on the expert's trajectories: worlds that the expert, planning exactly, solves in no more steps
    are like those of training, the others (its timeouts among them) are not.
    """
    rows = []
    for task, spec in specs.items():
        expert = select_cell(outcomes, "expert", task, task)
        like = set(expert.loc[expert["steps"].between(1, spec.bound), "layout_hash"])
        for policy in MAIN_POLICIES:
            cells = {
                key: select_cell(outcomes, policy, task, task, d) for key, d in DECODINGS.items()
            }
            greedy = cells["greedy"]
            if greedy.empty:
                continue
            if like:
                alike = greedy["layout_hash"].isin(like)
                cells |= {"within": greedy[alike], "beyond": greedy[~alike]}
            steps = greedy["steps"].where(greedy["success"], spec.timeout)
            row = {"task": task, "policy": policy, "episodes": len(greedy), "asat": steps.mean()}
            row["asst"] = greedy.loc[greedy["success"], "steps"].mean()
            for key, cell in cells.items():
                if len(cell):
                    won, number = int(cell["success"].sum()), len(cell)
                    row[key] = won / number
                    row[f"{key}_low"], row[f"{key}_high"] = wilson_interval(won, number, confidence)
            rows.append(row)
    return pd.DataFrame(rows)


def list_gains(outcomes: pd.DataFrame, tasks: list[str], confidence: float) -> pd.DataFrame:
    """One row a task and pair of policies, with the difference in SR, paired by world, and McNemar's exact test."""
    rows = []
    for task in tasks:
        for better, worse in GAINS:
            row = {"task": task, "policy": better, "over": worse}
            for key, decoding in DECODINGS.items():
                cells = [select_cell(outcomes, p, task, task, decoding) for p in (better, worse)]
                if any(cell.empty for cell in cells):
                    continue
                gain, low, high = paired_gain(*cells, confidence)
                won, lost, p = compare_pairs(*cells)
                found = {"": gain, "_low": low, "_high": high, "_won": won, "_lost": lost, "_p": p}
                row |= {f"{key}{end}": value for end, value in found.items()}
            if len(row) > 3:
                rows.append(row)
    return pd.DataFrame(rows)
