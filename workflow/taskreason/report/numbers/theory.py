"""Phrases and numbers that the paper's section on the theory quotes, computed from its tables.

Output: macro name -> LaTeX text. Each says how a theorem fared in this run, whatever that was.
"""

from collections.abc import Mapping

import pandas as pd

from taskreason.report.labels import GRID_POLICY
from taskreason.report.numbers.means import count_tasks
from taskreason.report.render.latex import MISSING, format_gain, format_signed
from taskreason.report.tables.spec import Table
from taskreason.report.tables.theory_specs import ALL
from taskreason.report.theory_data import REFERENCE

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
    macros = _single_macros(single) | _recursion_macros(recursion) | _multi_macros(multi)
    shared = grid.iloc[0]
    ranks = {key: shared.get(f"{key}_correlation") for key in SHARED_NAMES}
    for key, rank in ranks.items():
        macros[f"TheoryRank{key.title()}"] = MISSING if pd.isna(rank) else format_signed(rank)
    return macros | {
        "TheoryVerdictSingle": _judge_single(single),
        "TheoryVerdictRecursion": _judge_recursion(recursion),
        "TheoryVerdictMulti": _judge_multi(multi),
        "TheoryVerdictHorizons": _judge_horizons(horizons),
        "TheoryVerdictGrid": _judge_grid(ranks),
    }


def _judge_single(single: pd.DataFrame) -> str:
    own = single[(single["place"] == "expert") & (single["right"] == "expert")]
    share = (own["worse"] * own["states"]).sum() / own["states"].sum()
    held = f"held on average {count_tasks(own['gain_low'] > 0, len(own))}"
    if not share:
        return f"{held}, and at every state"
    chance = (own["worse_by_chance"] * own["states"]).sum() / own["states"].sum()
    return (
        f"{held} and not at every state: a share of {share:.2f} has fewer right replies after it, where "
        f"chance alone would give {chance:.2f} if nothing had changed"
    )


def _judge_recursion(recursion: pd.DataFrame) -> str:
    inside = _pool(recursion)["inside"]
    held = "held" if inside >= ENOUGH_INSIDE else "did not hold"
    return f"{held}: episodes lie in the interval of its prediction in a share of {inside:.2f} of the kitchens"


def _pool(recursion: pd.DataFrame) -> pd.Series:
    """The row of all tasks and both policies."""
    return recursion[recursion["task"] == ALL].iloc[0]


def _judge_multi(multi: pd.DataFrame) -> str:
    total = len(multi)
    held = f"held on average {count_tasks(multi['gain_low'] > 0, total)}"
    share = _print_range(multi["assumption"], 2)
    return f"{held}, while its assumption held, by the replies counted, in {share} of the kitchens"


def _judge_horizons(horizons: pd.DataFrame) -> str:
    seen = horizons.pivot(index=["task", "share"], columns="policy", values="observed")
    higher = int((seen[GRID_POLICY] >= seen[REFERENCE]).sum())
    return (
        f"held on average at {higher} of the {len(seen)} horizons of \\cref{{tab:theory_horizons}}"
    )


def _judge_grid(ranks: Mapping[str, float]) -> str:
    known = {key: rank for key, rank in ranks.items() if not pd.isna(rank)}
    if not known:
        return "across tasks nothing can be said of what they share"
    best = max(known, key=lambda key: abs(known[key]))
    return (
        f"across tasks, {SHARED_NAMES[best]} goes with SR most closely "
        f"(rank correlation {format_signed(known[best])})"
    )


def _single_macros(single: pd.DataFrame) -> dict[str, str]:
    macros = {}
    for name, place, right in (
        ("Single", "expert", "expert"),
        ("Optimal", "expert", "optimal"),
        ("OffPath", "off_path", "optimal"),
    ):
        part = single[(single["place"] == place) & (single["right"] == right)]
        total = len(part)
        macros |= {
            f"Theory{name}Above": count_tasks(part["gain_low"] > 0, total),
            f"Theory{name}Below": count_tasks(part["gain_high"] < 0, total),
            f"Theory{name}Before": _print_range(part["sft"], 3),
            f"Theory{name}After": _print_range(part["sft_grpo"], 3),
            f"Theory{name}Improved": _print_range(part["improved"], 2),
            f"Theory{name}Worse": _print_range(part["worse"], 2),
            f"Theory{name}ByChance": _print_range(part["worse_by_chance"], 2),
        }
    own = single[(single["place"] == "expert") & (single["right"] == "expert")]
    macros["TheoryStates"] = f"{int(own['states'].sum())}"
    macros["TheorySignTest"] = count_tasks(own["sign_test"] < 0.05, len(own))
    macros["TheoryLimit"] = _print_range(own["fixed_point"].dropna().astype(float), 3)
    return macros


def _recursion_macros(recursion: pd.DataFrame) -> dict[str, str]:
    whole, recursion = _pool(recursion), recursion[recursion["task"] != ALL]
    return {
        "TheoryInside": f"{whole['inside']:.2f}",
        "TheoryErrorAll": format_gain(*whole[["error", "error_low", "error_high"]], decimals=3),
        "TheoryInsideRange": _print_range(recursion["inside"], 2),
        "TheoryError": f"{recursion['error'].abs().max():.3f}",
        "TheoryUniqueStates": _print_range(recursion["unique_states"], 3),
        "TheoryUniqueKitchens": _print_range(recursion["unique_kitchens"], 2),
        "TheoryDenied": _print_range(recursion["denied"], 3),
        "TheoryRollouts": f"{int(recursion['rollouts'].sum())}",
    }


def _multi_macros(multi: pd.DataFrame) -> dict[str, str]:
    total = len(multi)
    return {
        "TheoryMultiAbove": count_tasks(multi["gain_low"] > 0, total),
        "TheoryMultiBelow": count_tasks(multi["gain_high"] < 0, total),
        "TheoryMultiBefore": _print_range(multi["sft"], 2),
        "TheoryMultiAfter": _print_range(multi[GRID_POLICY], 2),
        "TheoryMultiStates": _print_range(multi["states_not_lower"], 2),
        "TheoryMultiKitchens": _print_range(multi["kitchens_not_lower"], 2),
        "TheoryAssumption": _print_range(multi["assumption"], 2),
        "TheoryAssumptionByChance": _print_range(multi["assumption_by_chance"], 2),
        "TheoryGivenAssumption": _print_range(multi["given_assumption"].dropna().astype(float), 2),
    }


def _print_range(values: pd.Series, decimals: int) -> str:
    """'0.93 to 0.99', a single number where all are the same, two dashes where there are none."""
    if values.empty:
        return MISSING
    low, high = (f"{value:.{decimals}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
