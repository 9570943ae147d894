"""Phrases and numbers that the paper's section on the ablations quotes, computed from its tables.

Output: macro name -> LaTeX text. Each says how a choice fared in this run, whatever that was.
"""

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import task_title
from taskreason.report.numbers.verdicts import count, print_range
from taskreason.report.render.latex import escape, format_gain, format_signed
from taskreason.report.tables.spec import Table
from taskreason.report.tables.studies import DIFFERENCE, label_expert, label_study


def make_ablation_macros(
    points: Table, experts: Table, turns: Table, cfg: Config
) -> dict[str, str]:
    """All macros of the section on the ablations, from its three tables."""
    rows, settings = points.csv, cfg.ablation
    largest = rows.loc[rows["gain"].idxmax()]
    means = turns.csv[turns.csv["seed"] == "mean"].set_index("turns")
    return {
        "AblationTask": task_title(settings.task).lower(),
        "AblationStart": str(settings.turns_trajectories),
        "AblationPoints": str(len(rows)),
        "AblationSft": print_range(rows["sft"]),
        "AblationAbove": count(rows["gain_low"] > 0),
        "AblationBelow": count(rows["gain_high"] < 0),
        "AblationExperts": judge_experts(experts.csv),
        "AblationLargest": format_signed(largest["gain"]),
        "AblationLargestName": escape(label_study(largest["study"])),
        "AblationSingle": format_signed(means.loc["single", "gain"], 3),
        "AblationMulti": format_signed(means.loc["multi", "gain"], 3),
        "AblationTokens": rf"{settings.turns_tokens / 1000:g}\,k",
        "AblationTurnsVerdict": judge_turns(means.loc[DIFFERENCE]),
    }


def judge_experts(rows: pd.DataFrame) -> str:
    """Which experts' errors GRPO repairs beyond longer SFT, and which it makes worse, as far as intervals tell."""
    better = rows.loc[rows["gain_longer_low"] > 0, "expert"]
    worse = rows.loc[rows["gain_longer_high"] < 0, "expert"]
    names = ["; ".join(map(label_expert, part)) or "none" for part in (better, worse)]
    return escape(
        f"Of {len(rows)} experts, GRPO does better than SFT on as many replies with these: {names[0]}; and worse with "
        f"these: {names[1]}"
    )


def judge_turns(difference: pd.Series) -> str:
    """Which of the two kinds of GRPO does better, if these worlds and seeds can tell."""
    verdict = "these kitchens and seeds do not tell them apart"
    if difference["gain_low"] > 0:
        verdict = "single decisions do better"
    elif difference["gain_high"] < 0:
        verdict = "whole episodes do better"
    shown = format_gain(*difference[["gain", "gain_low", "gain_high"]])
    return f"{verdict} (SR of decisions over that of episodes: {shown})"
