"""The tables of the theory: what the paper's theorems say, beside what the policies of this run do.

As CSV and LaTeX; intervals of differences are bootstrapped over kitchens.
"""

from collections.abc import Callable, Mapping
from math import comb

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.table_cells import Table, print_gain
from taskreason.report.tex import (
    MISSING,
    escape,
    format_interval,
    format_rate,
    make_row,
    make_tabular,
    shrink,
)
from taskreason.report.theory_data import POLICIES, REFERENCE, Theory
from taskreason.report.theory_grid import make_grid
from taskreason.theory.amplification import find_fixed_point
from taskreason.theory.analysis import mean_interval

TITLES = tuple(escape(label_policy(policy)) for policy in POLICIES)
PARTS = {"first third": 1 / 3, "two thirds": 2 / 3, "whole": 1.0}


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p-value of so many signs up and down, if both were equally likely; 1 without any."""
    number = better + worse
    tail = sum(comb(number, k) for k in range(min(better, worse) + 1)) / 2**number
    return min(1.0, 2 * tail)


def make_single(theory: Theory) -> Table:
    """Theorem 3.1: how often single replies are right, before GRPO and after it, state by state."""
    records = []
    for task in theory.tasks:
        both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
        for place, measure in (
            ("expert", "expert"),
            ("expert", "optimal"),
            ("off_path", "optimal"),
        ):
            part = both[both["place"] == place]
            if part.empty:
                continue
            before, after = (
                part[f"{measure}_{policy}"].astype(float) / part[f"replies_{policy}"]
                for policy in POLICIES
            )
            gain, low, high = mean_interval(after - before, part["layout_hash"], theory.confidence)
            up, down = int((after > before).sum()), int((after < before).sum())
            fixed = find_fixed_point(before, theory.beta).mean() if theory.beta else None
            records.append(
                {
                    "task": task,
                    "place": place,
                    "right": measure,
                    "states": len(part),
                    "sft": before.mean(),
                    "sft_grpo": after.mean(),
                    "gain": gain,
                    "gain_low": low,
                    "gain_high": high,
                    "improved": up / len(part),
                    "unchanged": 1 - (up + down) / len(part),
                    "worse": down / len(part),
                    "sign_test": sign_test(up, down),
                    "fixed_point": fixed,
                }
            )
    head = ["Task", "States", "Right", "$n$", *TITLES, "Gain", "Up", "Same", "Down", "$p$", "Limit"]
    rows = [make_row(*head)]
    names = {
        ("expert", "expert"): ("expert's", "its action"),
        ("expert", "optimal"): ("", "any optimal"),
    }
    for record in records:
        where, what = names.get((record["place"], record["right"]), ("off its path", "any optimal"))
        if record["right"] == "expert":
            rows.append(r"\midrule")
        rows.append(
            make_row(
                task_title(record["task"]) if record["right"] == "expert" else "",
                where,
                what,
                str(record["states"]),
                *(f"{record[policy]:.3f}" for policy in POLICIES),
                _print_small_gain(record),
                *(format_rate(record[key]) for key in ("improved", "unchanged", "worse")),
                _print_p(record["sign_test"]),
                MISSING if record["fixed_point"] is None else f"{record['fixed_point']:.3f}",
            )
        )
    return Table(pd.DataFrame(records), make_tabular("lllrrrlrrrrr", rows))


def make_recursion(theory: Theory) -> Table:
    """Theorem 3.2: success in the fewest steps, predicted from single decisions and seen in episodes of their own."""
    records = []
    for task in theory.tasks:
        for policy in POLICIES:
            table, states = theory.kitchens[policy, task], theory.states[policy, task]
            known = states[states["place"] == "expert"]
            error, low, high = mean_interval(
                table["predicted"] - table["observed"], table["layout_hash"], theory.confidence
            )
            denied = (known["optimal"] - known["expert"].astype(float)) / known["replies"]
            records.append(
                {
                    "task": task,
                    "policy": policy,
                    "kitchens": len(table),
                    "unique_states": float((known["choices"] == 1).mean()),
                    "unique_kitchens": float(table["unique"].mean()),
                    "denied": float(denied.mean()),
                    "predicted": table["predicted"].mean(),
                    "missed": table["missed"].mean(),
                    "observed": table["observed"].mean(),
                    "rollouts": int(table["rollouts"].sum()),
                    "error": error,
                    "error_low": low,
                    "error_high": high,
                    "inside": float(table["inside"].mean()),
                }
            )
    head = ["Kitchens", "Unique", "all", "Denied", "Predicted", "Seen", "Error", "Inside"]
    rows = [make_row("Task", "Policy", *head)]
    for record in records:
        if record["policy"] == REFERENCE:
            rows.append(r"\midrule")
        rows.append(
            make_row(
                task_title(record["task"]) if record["policy"] == REFERENCE else "",
                escape(label_policy(record["policy"])),
                str(record["kitchens"]),
                format_rate(record["unique_states"]),
                format_rate(record["unique_kitchens"]),
                f"{record['denied']:.3f}",
                f"{record['predicted']:.3f}",
                f"{record['observed']:.3f}",
                print_gain(*(record[key] for key in ("error", "error_low", "error_high"))),
                format_rate(record["inside"]),
            )
        )
    return Table(pd.DataFrame(records), make_tabular("llrrrrrrlr", rows))


def make_multi(theory: Theory) -> Table:
    """Theorem 3.3: whether GRPO raises P(s_t) along the trajectory, and whether its assumption holds."""
    records = []
    for task in theory.tasks:
        along = theory.pair("along", task, ["layout_hash", "depth", "left"])
        gains = along[f"success_{GRID_POLICY}"] - along[f"success_{REFERENCE}"]
        starts = along["depth"] == 0
        gain, low, high = mean_interval(
            gains[starts], along["layout_hash"][starts], theory.confidence
        )
        assumed = _find_assumption(theory, task)
        holds = (gains >= 0).groupby(along["layout_hash"]).all()
        premise = assumed.reindex(holds.index).fillna(False).astype(bool)
        records.append(
            {
                "task": task,
                "kitchens": len(holds),
                "sft": along[f"success_{REFERENCE}"][starts].mean(),
                "sft_grpo": along[f"success_{GRID_POLICY}"][starts].mean(),
                "gain": gain,
                "gain_low": low,
                "gain_high": high,
                "states_not_lower": float((gains >= 0).mean()),
                "kitchens_not_lower": float(holds.mean()),
                "assumption": float(premise.mean()),
                "given_assumption": float(holds[premise].mean()) if premise.any() else None,
            }
        )
    head = ["Task", *TITLES, "Gain", "States", "Kitchens", "Assumption", "Given it"]
    rows = [make_row(*head), r"\midrule"]
    for record in records:
        rows.append(
            make_row(
                task_title(record["task"]),
                *(f"{record[policy]:.3f}" for policy in POLICIES),
                _print_small_gain(record),
                *(
                    format_rate(record[key])
                    for key in (
                        "states_not_lower",
                        "kitchens_not_lower",
                        "assumption",
                        "given_assumption",
                    )
                ),
            )
        )
    return Table(pd.DataFrame(records), make_tabular("lrrlrrrr", rows))


def make_horizons(theory: Theory) -> Table:
    """Corollary 3.2: getting through the first third, two thirds and the whole of the expert's trajectory."""
    records, rows = [], []
    for task in theory.tasks:
        rows.append(r"\midrule")
        for policy in POLICIES:
            table = theory.horizons[policy, task]
            last = table.groupby("layout_hash")["horizon"].transform("max")
            cells = []
            for share in PARTS.values():
                part = table[table["horizon"] == (share * last).round().clip(lower=1)]
                seen, low, high = mean_interval(
                    part["observed"], part["layout_hash"], theory.confidence
                )
                product = part["product"].mean()
                records.append(
                    {
                        "task": task,
                        "policy": policy,
                        "share": share,
                        "steps": part["horizon"].mean(),
                        "product": product,
                        "observed": seen,
                        "observed_low": low,
                        "observed_high": high,
                    }
                )
                cells += [f"{product:.2f}", f"{seen:.2f} {shrink(format_interval(low, high))}"]
            title = task_title(task) if policy == REFERENCE else ""
            rows.append(make_row(title, escape(label_policy(policy)), *cells))
    spans = " & ".join(rf"\multicolumn{{2}}{{c}}{{{name.capitalize()}}}" for name in PARTS)
    head = [rf" & & {spans} \\", make_row("Task", "Policy", *["Product", "Seen"] * len(PARTS))]
    return Table(pd.DataFrame(records), make_tabular("ll" + "rl" * len(PARTS), [*head, *rows]))


def _find_assumption(theory: Theory, task: str) -> pd.Series:
    """Assumption 3.1 in each kitchen: no state that was asked about, on the path or off it, has become worse."""
    both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
    before, after = (both[f"optimal_{p}"] / both[f"replies_{p}"] for p in POLICIES)
    return (after >= before).groupby(both["layout_hash"]).all()


def _print_p(p: float) -> str:
    return r"\ensuremath{<} 0.001" if p < 0.001 else f"{p:.3f}"


def _print_small_gain(record: Mapping) -> str:
    return print_gain(*(record[key] for key in ("gain", "gain_low", "gain_high")), decimals=3)


TABLES: dict[str, Callable[[Theory], Table]] = {
    "theory_single": make_single,
    "theory_recursion": make_recursion,
    "theory_multi": make_multi,
    "theory_horizons": make_horizons,
    "theory_grid": make_grid,
}
