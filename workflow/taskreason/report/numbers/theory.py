"""Phrases and numbers that the paper's section on the theory quotes, computed from its tables.

Output: macro name -> LaTeX text. Each says how a theorem fared in this run, whatever that was. A prediction counts as
borne out where tests do not reject it at the report's level; the tests' p-values are printed with it.
"""

from collections.abc import Mapping

import pandas as pd

from taskreason.report.labels import GRID_POLICY
from taskreason.report.numbers.verdicts import count, count_tasks, print_range
from taskreason.report.render.latex import MISSING, format_gain, format_signed
from taskreason.report.tables.fixed_point import WHOLE
from taskreason.report.tables.theory_specs import ALL, POLICIES

SHARED_NAMES = {
    "prefix": "the beginning that tasks share",
    "skills": "the share of known kinds",
    "length": "the length of the longer training",
}


def make_theory_macros(
    tables: Mapping[str, pd.DataFrame], confidence: float = 0.95
) -> dict[str, str]:
    """All macros of the section, from the rows of the theory's tables (theory_single and so on) by name."""
    parts = ("single", "recursion", "multi", "horizons", "grid", "fixed_point")
    single, recursion, multi, horizons, grid, fixed = (tables[f"theory_{name}"] for name in parts)
    return {
        **_judge_single(single),
        **_judge_recursion(recursion, 1 - confidence),
        **_judge_multi(multi),
        **_judge_horizons(horizons, 1 - confidence),
        **_judge_grid(grid),
        **_judge_fixed(fixed),
    }


def _judge_single(single: pd.DataFrame) -> dict[str, str]:
    own = single[(single["place"] == "expert") & (single["right"] == "expert")]
    away = single[single["place"] == "off_path"]
    up, open_, worse = (
        f"{(own[key] * own['states']).sum() / own['states'].sum():.2f}"
        for key in ("improved", "undecided", "worse")
    )
    above = count_tasks(own["gain_low"] > 0)
    verdict = f"held on average {above}, and not at every state: a share of {worse} is shown to be lower after it"
    if not own["worse"].any():
        verdict = f"held on average {above}, and no state is shown to be lower after it"
    listed = pd.concat([single[f"listed_{policy}"] for policy in POLICIES])
    enumerated = pd.concat([single[f"enumerated_{policy}"] for policy in POLICIES])
    return {
        "TheoryVerdictSingle": verdict,
        "TheorySingleAbove": above,
        "TheorySingleBelow": count_tasks(own["gain_high"] < 0),
        "TheorySingleBefore": print_range(own["sft"], 3),
        "TheorySingleAfter": print_range(own[GRID_POLICY], 3),
        "TheorySingleImproved": up,
        "TheorySingleOpen": open_,
        "TheorySingleWorse": worse,
        "TheoryStates": f"{own['states'].sum()}",
        "TheoryListed": print_range(listed, 3),
        "TheoryEnumerated": print_range(enumerated),
        "TheoryDeviation": f"{single['sd'].max():.3f}",
        "TheoryLimit": print_range(own["fixed_point"], 3),
        "TheoryOffPathAbove": count_tasks(away["gain_low"] > 0),
        "TheoryOffPathBelow": count_tasks(away["gain_high"] < 0),
    }


def _judge_recursion(recursion: pd.DataFrame, level: float) -> dict[str, str]:
    pooled = recursion["task"] == ALL
    whole, rows = recursion[pooled].iloc[0], recursion[~pooled]
    p_values = whole[["p_value", "outside_p_value"]]
    held = "did not hold" if p_values.min() < level else "was not refuted"
    kept, spread = map(print_p, p_values)
    seen, low, high = (f"{whole[key]:.3f}" for key in ("observed", "range_low", "range_high"))
    return {
        "TheoryVerdictRecursion": f"{held}: {seen} of all episodes succeed in the fewest steps, where its prediction "
        f"allows {low} to {high} ({kept})",
        "TheoryTestAll": kept,
        "TheoryTestOutside": spread,
        "TheoryRejected": count(rows["p_value"] < level),
        "TheoryInside": f"{whole['inside']:.2f}",
        "TheoryInsideRange": print_range(rows["inside"]),
        "TheoryErrorAll": format_gain(*whole[["error", "error_low", "error_high"]], decimals=3),
        "TheoryError": f"{rows['error'].abs().max():.3f}",
        "TheoryUniqueStates": print_range(rows["unique_states"], 3),
        "TheoryUniqueKitchens": print_range(rows["unique_kitchens"]),
        "TheoryDenied": print_range(rows["denied"], 3),
        "TheoryRollouts": f"{rows['rollouts'].sum()}",
    }


def print_p(p_value: float) -> str:
    """'$p = .031$', or below the last digit that is printed."""
    if p_value < 0.001:
        return "$p < .001$"
    return f"$p = {p_value:.3f}$".replace("= 0.", "= .")


def _judge_multi(multi: pd.DataFrame) -> dict[str, str]:
    above = count_tasks(multi["gain_low"] > 0)
    refuted = print_range(1 - multi["assumption_high"])
    return {
        "TheoryVerdictMulti": f"held on average {above}, while its assumption is refuted in {refuted} of the kitchens",
        "TheoryMultiAbove": above,
        "TheoryMultiBelow": count_tasks(multi["gain_high"] < 0),
        "TheoryMultiBefore": print_range(multi["sft"]),
        "TheoryMultiAfter": print_range(multi[GRID_POLICY]),
        "TheoryMultiStates": print_range(multi["states_not_lower"]),
        "TheoryMultiKitchens": print_range(multi["kitchens_not_lower"]),
        "TheoryMultiRefuted": print_range(1 - multi["kitchens_not_lower_high"]),
        "TheoryAssumption": print_range(multi["assumption"]),
        "TheoryAssumptionShown": print_range(multi["assumption_low"]),
        "TheoryAssumptionRefuted": refuted,
        "TheoryGivenAssumption": print_range(multi["given_assumption"]),
    }


def _judge_horizons(horizons: pd.DataFrame, level: float) -> dict[str, str]:
    gains = horizons[horizons["policy"] == GRID_POLICY]
    higher = count(gains["gain_low"] > 0)
    rejected = count(horizons["p_value"] < level)
    return {
        "TheoryVerdictHorizons": f"held on average at {higher} horizons of \\cref{{tab:theory_horizons}}, where the "
        "interval of the gain lies above zero",
        "TheoryHorizonsBelow": count(gains["gain_high"] < 0),
        "TheoryHorizonsRejected": rejected,
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


def _judge_fixed(fixed: pd.DataFrame) -> dict[str, str]:
    rows = fixed[fixed["range"] == WHOLE]
    columns = ("beta", "p_ref", "limit", "p", "off", "stationary", "off_stationary")
    parts = []
    for beta, p_ref, limit, p, off, still, above in rows[list(columns)].itertuples(index=False):
        parts.append(
            f"at \\ensuremath{{\\beta = {beta:g}}} from {p_ref:.3f} to {p:.3f}, where the theory's limit is "
            f"{limit:.3f} ({format_signed(off, 3)}) and the trainer's loss stands still at {still:.3f} "
            f"({format_signed(above, 3)})"
        )
    return {
        "TheoryFixedStates": f"{rows['states'].max()}",
        "TheoryFixedInside": f"{rows['inside'].max()}",
        "TheoryFixed": "; ".join(parts),
        "TheoryFixedDistance": print_range(rows["distance"], 3),
        "TheoryFixedDistanceStill": print_range(rows["distance_stationary"], 3),
        "TheoryFixedDrift": f"{rows['drift'].abs().max():.3f}",
    }
