"""Phrases and numbers that the paper's section on the theory quotes, computed from its tables.

Output: macro name -> LaTeX text. Each says how a theorem fared in this run, whatever that was.
"""

from collections.abc import Mapping

import pandas as pd

from taskreason.report.labels import GRID_POLICY
from taskreason.report.numbers.means import count_tasks
from taskreason.report.render.latex import MISSING, format_gain, format_signed
from taskreason.report.tables.spec import Table
from taskreason.report.tables.theory_specs import ALL, REFERENCE

ENOUGH_INSIDE = 0.9
"""Share of worlds inside their interval from which on the recursion counts as borne out."""
SHARED_NAMES = {
    "prefix": "the beginning that tasks share",
    "skills": "the share of known kinds",
    "length": "the length of the longer training",
}


def make_theory_macros(tables: Mapping[str, Table]) -> dict[str, str]:
    """All macros of the section, from all tables of :mod:`taskreason.report.tables.theory`."""
    names = ("single", "recursion", "multi", "horizons", "grid")
    single, recursion, multi, horizons, grid = (tables[f"theory_{name}"].csv for name in names)
    return (
        _judge_single(single)
        | _judge_recursion(recursion)
        | _judge_multi(multi)
        | {"TheoryVerdictHorizons": _judge_horizons(horizons)}
        | _judge_grid(grid)
    )


def _count(holds: pd.Series) -> str:
    return count_tasks(holds, len(holds))


def _judge_single(single: pd.DataFrame) -> dict[str, str]:
    own = single[(single["place"] == "expert") & (single["right"] == "expert")]
    away = single[single["place"] == "off_path"]
    worse, chance = (
        (own[key] * own["states"]).sum() / own["states"].sum()
        for key in ("worse", "worse_by_chance")
    )
    verdict = f"held on average {_count(own['gain_low'] > 0)}, and at every state"
    if worse:
        verdict = (
            f"held on average {_count(own['gain_low'] > 0)} and not at every state: a share of {worse:.2f} has fewer "
            f"right replies after it, where chance alone would give {chance:.2f} if nothing had changed"
        )
    return {
        "TheoryVerdictSingle": verdict,
        "TheorySingleAbove": _count(own["gain_low"] > 0),
        "TheorySingleBelow": _count(own["gain_high"] < 0),
        "TheorySingleBefore": _print_range(own["sft"], 3),
        "TheorySingleAfter": _print_range(own["sft_grpo"], 3),
        "TheorySingleImproved": _print_range(own["improved"], 2),
        "TheorySingleWorse": _print_range(own["worse"], 2),
        "TheorySingleByChance": _print_range(own["worse_by_chance"], 2),
        "TheoryStates": f"{int(own['states'].sum())}",
        "TheorySignTest": _count(own["sign_test"] < 0.05),
        "TheoryLimit": _print_range(own["fixed_point"], 3),
        "TheoryOffPathAbove": _count(away["gain_low"] > 0),
        "TheoryOffPathBelow": _count(away["gain_high"] < 0),
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
        "TheoryInsideRange": _print_range(rows["inside"], 2),
        "TheoryError": f"{rows['error'].abs().max():.3f}",
        "TheoryUniqueStates": _print_range(rows["unique_states"], 3),
        "TheoryUniqueKitchens": _print_range(rows["unique_kitchens"], 2),
        "TheoryDenied": _print_range(rows["denied"], 3),
        "TheoryRollouts": f"{int(rows['rollouts'].sum())}",
    }


def _judge_multi(multi: pd.DataFrame) -> dict[str, str]:
    above, assumed = _count(multi["gain_low"] > 0), _print_range(multi["assumption"], 2)
    return {
        "TheoryVerdictMulti": f"held on average {above}, while its assumption held, by the replies counted, in "
        f"{assumed} of the kitchens",
        "TheoryMultiAbove": above,
        "TheoryMultiBelow": _count(multi["gain_high"] < 0),
        "TheoryMultiBefore": _print_range(multi["sft"], 2),
        "TheoryMultiAfter": _print_range(multi[GRID_POLICY], 2),
        "TheoryMultiStates": _print_range(multi["states_not_lower"], 2),
        "TheoryMultiKitchens": _print_range(multi["kitchens_not_lower"], 2),
        "TheoryAssumption": assumed,
        "TheoryAssumptionByChance": _print_range(multi["assumption_by_chance"], 2),
        "TheoryGivenAssumption": _print_range(multi["given_assumption"], 2),
    }


def _judge_horizons(horizons: pd.DataFrame) -> str:
    seen = horizons.pivot(index=["task", "share"], columns="policy", values="observed")
    higher = int((seen[GRID_POLICY] >= seen[REFERENCE]).sum())
    return (
        f"held on average at {higher} of the {len(seen)} horizons of \\cref{{tab:theory_horizons}}"
    )


def _judge_grid(grid: pd.DataFrame) -> dict[str, str]:
    ranks = {key: grid.iloc[0].get(f"{key}_correlation") for key in SHARED_NAMES}
    known = {key: rank for key, rank in ranks.items() if not pd.isna(rank)}
    verdict = "across tasks nothing can be said of what they share"
    if known:
        best = max(known, key=lambda key: abs(known[key]))
        verdict = (
            f"across tasks, {SHARED_NAMES[best]} goes with SR most closely "
            f"(rank correlation {format_signed(known[best])})"
        )
    shown = {key: format_signed(known[key]) if key in known else MISSING for key in ranks}
    return {f"TheoryRank{key.title()}": text for key, text in shown.items()} | {
        "TheoryVerdictGrid": verdict
    }


def _print_range(values: pd.Series, decimals: int) -> str:
    """'0.93 to 0.99', a single number where all are the same, two dashes where there are none."""
    values = values.dropna().astype(float)
    if values.empty:
        return MISSING
    low, high = (f"{value:.{decimals}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
