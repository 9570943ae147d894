"""The tables of the theory: what the paper's theorems say, beside what the policies of this run do.

As CSV and LaTeX; intervals of differences are bootstrapped over kitchens.
"""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.render.latex import (
    MISSING,
    escape,
    format_interval,
    format_rate,
    make_row,
    make_tabular,
    shrink,
)
from taskreason.report.tables.cells import Table, print_gain, print_rate
from taskreason.report.tables.theory_grid import make_grid
from taskreason.report.theory_data import POLICIES, REFERENCE, Theory
from taskreason.rollouts.metrics import wilson_interval
from taskreason.theory.chance import expect_worse, sign_test
from taskreason.theory.fixed_point import find_fixed_point

TITLES = tuple(escape(label_policy(policy)) for policy in POLICIES)
ALL = "all"
"""Stands for every task and both policies in the row that pools them."""
PARTS = {"first third": 1 / 3, "two thirds": 2 / 3, "whole": 1.0}


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
            own = {
                "sft": theory.bootstrap(before, part["layout_hash"]),
                "sft_grpo": theory.bootstrap(after, part["layout_hash"]),
                "gain": theory.bootstrap(after - before, part["layout_hash"]),
            }
            by_chance, _ = expect_worse(_count_pairs(part, measure))
            up, down = int((after > before).sum()), int((after < before).sum())
            fixed = find_fixed_point(before, theory.beta).mean() if theory.beta else None
            records.append(
                {
                    "task": task,
                    "place": place,
                    "right": measure,
                    "states": len(part),
                    **spread_columns(own),
                    "improved": up / len(part),
                    "unchanged": 1 - (up + down) / len(part),
                    "worse": down / len(part),
                    "worse_by_chance": by_chance,
                    "sign_test": sign_test(up, down),
                    "fixed_point": fixed,
                }
            )
    head = ["Right reply", "$n$", *TITLES, "Gain", "Up", "Down", "by chance", "$p$", "Limit"]
    rows = [make_row(*head)]
    names = {
        ("expert", "expert"): "expert's action, its states",
        ("expert", "optimal"): "any optimal, its states",
        ("off_path", "optimal"): "any optimal, off its path",
    }
    for record in records:
        if record["right"] == "expert":
            title = rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{{task_title(record['task'])}}}}}"
            rows += [r"\midrule", rf"{title} \\"]
        rows.append(
            make_row(
                names[record["place"], record["right"]],
                str(record["states"]),
                *(_print_mean(record, policy) for policy in POLICIES),
                _print_small_gain(record),
                *(format_rate(record[key]) for key in ("improved", "worse", "worse_by_chance")),
                _print_p(record["sign_test"]),
                MISSING if record["fixed_point"] is None else f"{record['fixed_point']:.3f}",
            )
        )
    return Table(pd.DataFrame(records), make_tabular("lrlllrrrrr", rows))


def make_recursion(theory: Theory) -> Table:
    """Theorem 3.2: success in the fewest steps, predicted from single decisions and seen in episodes of their own.

    The last row is of all tasks and both policies together.
    """
    keys = [(task, policy) for task in theory.tasks for policy in POLICIES]
    parts = [(key, theory.kitchens[key[::-1]], theory.states[key[::-1]]) for key in keys]
    whole = [pd.concat(tables) for tables in zip(*(part[1:] for part in parts), strict=True)]
    records = [
        {"task": task, "policy": policy} | _check_recursion(theory, table, states)
        for (task, policy), table, states in [*parts, ((ALL, ALL), *whole)]
    ]
    head = ["Kitchens", "Unique", "all", "Denied", "Predicted", "Seen", "Error", "Inside"]
    rows = [make_row("Task", "Policy", *head)]
    for record in records:
        if record["policy"] in (REFERENCE, ALL):
            rows.append(r"\midrule")
        rows.append(
            make_row(
                "" if record["policy"] == GRID_POLICY else task_title(record["task"]),
                "both" if record["policy"] == ALL else escape(label_policy(record["policy"])),
                str(record["kitchens"]),
                format_rate(record["unique_states"]),
                format_rate(record["unique_kitchens"]),
                f"{record['denied']:.3f}",
                _print_mean(record, "predicted", 2),
                _print_mean(record, "observed", 2),
                print_gain(*(record[key] for key in ("error", "error_low", "error_high"))),
                _print_mean(record, "inside", 2),
            )
        )
    return Table(pd.DataFrame(records), make_tabular("llrrrrllll", rows))


def _check_recursion(theory: Theory, table: pd.DataFrame, states: pd.DataFrame) -> dict[str, float]:
    """Means over kitchens and states, each with its interval."""
    known = states[states["place"] == "expert"]
    denied = (known["optimal"] - known["expert"].astype(float)) / known["replies"]
    means = {
        "unique_states": theory.bootstrap(known["choices"] == 1, known["layout_hash"]),
        "denied": theory.bootstrap(denied, known["layout_hash"]),
    }
    columns = {name: table[name] for name in ("predicted", "observed")}
    columns["error"] = table["predicted"] - table["observed"]
    for name, column in columns.items():
        means[name] = theory.bootstrap(column, table["layout_hash"])
    for name, key in (("unique", "unique_kitchens"), ("inside", "inside")):
        hits = int(table[name].sum())
        bounds = wilson_interval(hits, len(table), theory.confidence)
        means[key] = hits / len(table), *bounds
    counts = {"kitchens": len(table), "rollouts": int(table["rollouts"].sum())}
    return counts | {"missed": table["missed"].mean()} | spread_columns(means)


def make_multi(theory: Theory) -> Table:
    """Theorem 3.3: whether GRPO raises P(s_t) along the trajectory, and whether its assumption holds."""
    records = []
    for task in theory.tasks:
        along = theory.pair("along", task, ["layout_hash", "depth", "left"])
        gains = along[f"success_{GRID_POLICY}"] - along[f"success_{REFERENCE}"]
        first = along[along["depth"] == 0]
        own = {
            policy: theory.bootstrap(first[f"success_{policy}"], first["layout_hash"])
            for policy in POLICIES
        }
        own["gain"] = theory.bootstrap(gains[first.index], first["layout_hash"])
        assumed, by_chance = _find_assumption(theory, task)
        holds = (gains >= 0).groupby(along["layout_hash"]).all()
        premise = assumed.reindex(holds.index).fillna(False).astype(bool)
        records.append(
            {
                "task": task,
                "kitchens": len(holds),
                **spread_columns(own),
                "states_not_lower": float((gains >= 0).mean()),
                "kitchens_not_lower": float(holds.mean()),
                "assumption": float(premise.mean()),
                "assumption_by_chance": by_chance,
                "given_assumption": float(holds[premise].mean()) if premise.any() else None,
            }
        )
    head = ["Task", *TITLES, "Gain", "States", "Kitchens", "Assumed", "by chance", "Given it"]
    rows = [make_row(*head), r"\midrule"]
    for record in records:
        rows.append(
            make_row(
                task_title(record["task"]),
                *(_print_mean(record, policy) for policy in POLICIES),
                _print_small_gain(record),
                *(
                    format_rate(record[key])
                    for key in (
                        "states_not_lower",
                        "kitchens_not_lower",
                        "assumption",
                        "assumption_by_chance",
                        "given_assumption",
                    )
                ),
            )
        )
    return Table(pd.DataFrame(records), make_tabular("llllrrrrr", rows))


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
                seen, low, high = theory.bootstrap(part["observed"], part["layout_hash"])
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
                cells += [f"{product:.2f}", print_rate(seen, low, high)]
            title = task_title(task) if policy == REFERENCE else ""
            rows.append(make_row(title, escape(label_policy(policy)), *cells))
    spans = " & ".join(rf"\multicolumn{{2}}{{c}}{{{name.capitalize()}}}" for name in PARTS)
    head = [rf" & & {spans} \\", make_row("Task", "Policy", *["Product", "Seen"] * len(PARTS))]
    return Table(pd.DataFrame(records), make_tabular("ll" + "rl" * len(PARTS), [*head, *rows]))


def _find_assumption(theory: Theory, task: str) -> tuple[pd.Series, float]:
    """Assumption 3.1 in each kitchen: no state that was asked about, on the path or off it, has become worse.

    Also the share of kitchens of which that would be said if no state had changed at all.
    """
    both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
    before, after = (both[f"optimal_{p}"] / both[f"replies_{p}"] for p in POLICIES)
    kitchens = both.groupby("layout_hash")
    none = [expect_worse(_count_pairs(part, "optimal"))[1] for _, part in kitchens]
    return (after >= before).groupby(both["layout_hash"]).all(), sum(none) / len(none)


def _count_pairs(both: pd.DataFrame, measure: str) -> Iterable[tuple[int, int, int]]:
    """Of each state, the right replies of both policies together, and all replies of each."""
    hits = both[f"{measure}_{REFERENCE}"].astype(int) + both[f"{measure}_{GRID_POLICY}"].astype(int)
    return zip(hits, *(both[f"replies_{policy}"] for policy in POLICIES), strict=True)


def spread_columns(means: Mapping[str, tuple[float, float, float]]) -> dict[str, float]:
    """Columns of a table: each mean, and the ends of its interval behind it."""
    return {
        f"{name}{end}": value
        for name, values in means.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }


def _print_mean(record: Mapping, key: str, decimals: int = 3) -> str:
    interval = format_interval(record[f"{key}_low"], record[f"{key}_high"], decimals)
    return f"{record[key]:.{decimals}f} {shrink(interval)}"


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
