"""Phrases and numbers that the paper's sections on the theory and on the ablations quote, computed from their tables.

Output: macro name -> LaTeX text. Each says how a theorem or a choice fared in this run, whatever that was.
"""

from collections.abc import Mapping

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import GRID_POLICY, task_title
from taskreason.report.numbers.verdicts import count, count_tasks
from taskreason.report.render.latex import MISSING, escape, format_gain, format_signed
from taskreason.report.tables.spec import Table
from taskreason.report.tables.studies import DIFFERENCE, label_expert, label_study
from taskreason.report.tables.theory_specs import ALL, REFERENCE

ENOUGH_INSIDE = 0.9
"""Share of worlds inside their interval from which on the recursion counts as borne out."""
SHARED_NAMES = {
    "prefix": "the beginning that tasks share",
    "skills": "the share of known kinds",
    "length": "the length of the longer training",
}


def make_theory_macros(tables: Mapping[str, Table]) -> dict[str, str]:
    """All macros of the section on the theory, from all tables of :mod:`taskreason.report.tables.theory`."""
    names = ("single", "recursion", "multi", "horizons", "grid")
    single, recursion, multi, horizons, grid = (tables[f"theory_{name}"].csv for name in names)
    seen = horizons.pivot(index=["task", "share"], columns="policy", values="observed")
    higher = count(seen[GRID_POLICY] >= seen[REFERENCE])
    return {
        **_judge_single(single),
        **_judge_recursion(recursion),
        **_judge_multi(multi),
        "TheoryVerdictHorizons": f"held on average at {higher} horizons of \\cref{{tab:theory_horizons}}",
        **_judge_grid(grid),
    }


def _judge_single(single: pd.DataFrame) -> dict[str, str]:
    own = single[(single["place"] == "expert") & (single["right"] == "expert")]
    away = single[single["place"] == "off_path"]
    worse, chance = (
        (own[key] * own["states"]).sum() / own["states"].sum()
        for key in ("worse", "worse_by_chance")
    )
    above = count_tasks(own["gain_low"] > 0)
    verdict = f"held on average {above}, and at every state"
    if worse:
        verdict = (
            f"held on average {above} and not at every state: a share of {worse:.2f} has fewer right replies after it, "
            f"where chance alone would give {chance:.2f} if nothing had changed"
        )
    return {
        "TheoryVerdictSingle": verdict,
        "TheorySingleAbove": above,
        "TheorySingleBelow": count_tasks(own["gain_high"] < 0),
        "TheorySingleBefore": _print_range(own["sft"], 3),
        "TheorySingleAfter": _print_range(own["sft_grpo"], 3),
        "TheorySingleImproved": _print_range(own["improved"]),
        "TheorySingleWorse": _print_range(own["worse"]),
        "TheorySingleByChance": _print_range(own["worse_by_chance"]),
        "TheoryStates": f"{own['states'].sum()}",
        "TheorySignTest": count_tasks(own["sign_test"] < 0.05),
        "TheoryLimit": _print_range(own["fixed_point"], 3),
        "TheoryOffPathAbove": count_tasks(away["gain_low"] > 0),
        "TheoryOffPathBelow": count_tasks(away["gain_high"] < 0),
    }


def _judge_recursion(recursion: pd.DataFrame) -> dict[str, str]:
    pooled = recursion["task"] == ALL
    whole, rows = recursion[pooled].iloc[0], recursion[~pooled]
    held = "held" if whole["inside"] >= ENOUGH_INSIDE else "did not hold"
    inside = f"{whole['inside']:.2f}"
    return {
        "TheoryVerdictRecursion": f"{held}: episodes lie in the interval of its prediction in a share of {inside} of "
        "the kitchens",
        "TheoryInside": inside,
        "TheoryErrorAll": format_gain(*whole[["error", "error_low", "error_high"]], decimals=3),
        "TheoryInsideRange": _print_range(rows["inside"]),
        "TheoryError": f"{rows['error'].abs().max():.3f}",
        "TheoryUniqueStates": _print_range(rows["unique_states"], 3),
        "TheoryUniqueKitchens": _print_range(rows["unique_kitchens"]),
        "TheoryDenied": _print_range(rows["denied"], 3),
        "TheoryRollouts": f"{rows['rollouts'].sum()}",
    }


def _judge_multi(multi: pd.DataFrame) -> dict[str, str]:
    above, assumed = count_tasks(multi["gain_low"] > 0), _print_range(multi["assumption"])
    return {
        "TheoryVerdictMulti": f"held on average {above}, while its assumption held, by the replies counted, in "
        f"{assumed} of the kitchens",
        "TheoryMultiAbove": above,
        "TheoryMultiBelow": count_tasks(multi["gain_high"] < 0),
        "TheoryMultiBefore": _print_range(multi["sft"]),
        "TheoryMultiAfter": _print_range(multi[GRID_POLICY]),
        "TheoryMultiStates": _print_range(multi["states_not_lower"]),
        "TheoryMultiKitchens": _print_range(multi["kitchens_not_lower"]),
        "TheoryAssumption": assumed,
        "TheoryAssumptionByChance": _print_range(multi["assumption_by_chance"]),
        "TheoryGivenAssumption": _print_range(multi["given_assumption"]),
    }


def _judge_grid(grid: pd.DataFrame) -> dict[str, str]:
    ranks = {key: grid.iloc[0].get(f"{key}_correlation") for key in SHARED_NAMES}
    shown = {key: MISSING if pd.isna(rank) else format_signed(rank) for key, rank in ranks.items()}
    known = {key: abs(rank) for key, rank in ranks.items() if not pd.isna(rank)}
    verdict = "across tasks nothing can be said of what they share"
    if known:
        best = max(known, key=known.get)
        verdict = f"across tasks, {SHARED_NAMES[best]} goes with SR most closely (rank correlation {shown[best]})"
    macros = {f"TheoryRank{key.title()}": text for key, text in shown.items()}
    return macros | {"TheoryVerdictGrid": verdict}


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
        "AblationSft": _print_range(rows["sft"]),
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


def _print_range(values: pd.Series, decimals: int = 2) -> str:
    """'0.93 to 0.99', a single number where all are the same, two dashes where there are none."""
    values = values.dropna()
    if values.empty:
        return MISSING
    ends = (f"{value:.{decimals}f}" for value in (values.min(), values.max()))
    return " to ".join(dict.fromkeys(ends))
