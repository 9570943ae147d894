"""The tables of the theory: what the paper's theorems say, and what the policies of this run do.

Intervals are bootstrapped over worlds.
"""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from taskreason.report.labels import GRID_POLICY
from taskreason.report.tables.spec import Table, spread
from taskreason.report.tables.theory_specs import ALL, PARTS, REPLIES, make_specs
from taskreason.report.theory_data import POLICIES, REFERENCE, Theory
from taskreason.rollouts.metrics import wilson_interval
from taskreason.theory.analysis import expect_worse, sign_test
from taskreason.theory.theorems import find_fixed_point


def make_single(theory: Theory) -> pd.DataFrame:
    """Theorem 3.1: how often single replies are right, before GRPO and after it, state by state."""
    records = []
    for task in theory.tasks:
        both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
        for place, right in REPLIES:
            part = both[both["place"] == place]
            if part.empty:
                continue
            before, after = (
                part[f"{right}_{policy}"].astype(float) / part[f"replies_{policy}"]
                for policy in POLICIES
            )
            values = {REFERENCE: before, GRID_POLICY: after, "gain": after - before}
            by_chance, _ = expect_worse(_count_pairs(part, right))
            up, down = int((after > before).sum()), int((after < before).sum())
            records.append(
                {
                    "task": task,
                    "place": place,
                    "right": right,
                    "states": len(part),
                    **_bootstrap(theory, values, part["layout_hash"]),
                    "improved": up / len(part),
                    "unchanged": 1 - (up + down) / len(part),
                    "worse": down / len(part),
                    "worse_by_chance": by_chance,
                    "sign_test": sign_test(up, down),
                    "fixed_point": (
                        find_fixed_point(before, theory.beta).mean() if theory.beta else None
                    ),
                }
            )
    return pd.DataFrame(records)


def make_recursion(theory: Theory) -> pd.DataFrame:
    """Theorem 3.2: success in the fewest steps, predicted from single decisions and seen in episodes of their own.

    The last row is of all tasks and both policies together.
    """
    keys = [(policy, task) for task in theory.tasks for policy in POLICIES]
    parts = [(*key[::-1], theory.worlds[key], theory.states[key]) for key in keys]
    parts.append((ALL, ALL, *(pd.concat(tables) for tables in list(zip(*parts, strict=True))[2:])))
    return pd.DataFrame(
        [
            {"task": task, "policy": policy} | _check_recursion(theory, table, states)
            for task, policy, table, states in parts
        ]
    )


def _check_recursion(theory: Theory, table: pd.DataFrame, states: pd.DataFrame) -> dict[str, float]:
    """Means over worlds and states, each with its interval."""
    known = states[states["place"] == "expert"]
    of_states = {
        "unique_states": known["choices"] == 1,
        "denied": (known["optimal"] - known["expert"].astype(float)) / known["replies"],
    }
    of_worlds = {
        "predicted": table["predicted"],
        "observed": table["observed"],
        "error": table["predicted"] - table["observed"],
    }
    shares = {}
    for key, column in (("unique_kitchens", "unique"), ("inside", "inside")):
        hits, total = int(table[column].sum()), len(table)
        shares[key] = hits / total, *wilson_interval(hits, total, theory.cfg.report.confidence)
    return {
        "kitchens": len(table),
        "rollouts": int(table["rollouts"].sum()),
        "missed": table["missed"].mean(),
        **_bootstrap(theory, of_states, known["layout_hash"]),
        **_bootstrap(theory, of_worlds, table["layout_hash"]),
        **spread(shares),
    }


def make_multi(theory: Theory) -> pd.DataFrame:
    """Theorem 3.3: whether GRPO raises P(s_t) along the trajectory, and whether its assumption holds."""
    records = []
    for task in theory.tasks:
        along = theory.pair("along", task, ["layout_hash", "depth", "left"])
        gains = along[f"success_{GRID_POLICY}"] - along[f"success_{REFERENCE}"]
        first = along[along["depth"] == 0]
        values = {policy: first[f"success_{policy}"] for policy in POLICIES}
        values["gain"] = gains[first.index]
        assumed, by_chance = _find_assumption(theory, task)
        holds = (gains >= 0).groupby(along["layout_hash"]).all()
        premise = assumed.reindex(holds.index).fillna(False).astype(bool)
        records.append(
            {
                "task": task,
                "kitchens": len(holds),
                **_bootstrap(theory, values, first["layout_hash"]),
                "states_not_lower": float((gains >= 0).mean()),
                "kitchens_not_lower": float(holds.mean()),
                "assumption": float(premise.mean()),
                "assumption_by_chance": by_chance,
                "given_assumption": float(holds[premise].mean()) if premise.any() else None,
            }
        )
    return pd.DataFrame(records)


def make_horizons(theory: Theory) -> pd.DataFrame:
    """Corollary 3.2: getting through the first third, two thirds and the whole of the expert's trajectory."""
    records = []
    for task in theory.tasks:
        for policy in POLICIES:
            table = theory.horizons[policy, task]
            last = table.groupby("layout_hash")["horizon"].transform("max")
            for share in PARTS.values():
                part = table[table["horizon"] == (share * last).round().clip(lower=1)]
                means = {"steps": part["horizon"].mean(), "product": part["product"].mean()}
                seen = _bootstrap(theory, {"observed": part["observed"]}, part["layout_hash"])
                records.append({"task": task, "policy": policy, "share": share} | means | seen)
    return pd.DataFrame(records)


def make_grid(theory: Theory) -> pd.DataFrame:
    """Corollary 3.2 across tasks: what a task shares with the one trained on, SR, and their rank correlation."""
    cfg, pairs = theory.cfg, [(a, b) for a in theory.tasks for b in theory.tasks if a != b]
    shared = [dict(cfg.env.compare_tasks(cfg.task(a), cfg.task(b))) for a, b in pairs]
    frame = pd.DataFrame(
        [
            {"train_task": trained, "eval_task": task, **found, "sr": theory.grid[trained, task]}
            for (trained, task), found in zip(pairs, shared, strict=True)
        ]
    )
    keys = list(shared[0]) if shared else []
    ranks = frame[[*keys, "sr"]].rank().corr()["sr"] if keys else {}
    return frame.assign(**{f"{key}_correlation": ranks[key] for key in keys})


def _bootstrap(
    theory: Theory, values: Mapping[str, pd.Series], worlds: pd.Series
) -> dict[str, float]:
    """The mean of each with its interval over worlds."""
    return spread({key: theory.bootstrap(column, worlds) for key, column in values.items()})


def _find_assumption(theory: Theory, task: str) -> tuple[pd.Series, float]:
    """Assumption 3.1 in each world: no state that was asked about, on the path or off it, has become worse.

    Also the share of worlds of which that would be said if no state had changed at all.
    """
    both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
    before, after = (both[f"optimal_{p}"] / both[f"replies_{p}"] for p in POLICIES)
    worlds = both.groupby("layout_hash")
    none = [expect_worse(_count_pairs(part, "optimal"))[1] for _, part in worlds]
    return (after >= before).groupby(both["layout_hash"]).all(), sum(none) / len(none)


def _count_pairs(both: pd.DataFrame, right: str) -> Iterable[tuple[int, int, int]]:
    """Of each state, the right replies of both policies together, and all replies of each."""
    hits = both[f"{right}_{REFERENCE}"].astype(int) + both[f"{right}_{GRID_POLICY}"].astype(int)
    return zip(hits, *(both[f"replies_{policy}"] for policy in POLICIES), strict=True)


FRAMES: dict[str, Callable[[Theory], pd.DataFrame]] = {
    "theory_single": make_single,
    "theory_recursion": make_recursion,
    "theory_multi": make_multi,
    "theory_horizons": make_horizons,
    "theory_grid": make_grid,
}


def make_tables(theory: Theory) -> dict[str, Table]:
    """All tables of the theory."""
    specs = make_specs(theory.cfg.env)
    return {name: Table(make(theory), specs[name]) for name, make in FRAMES.items()}
