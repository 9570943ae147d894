"""The tables of the theory: what the paper's theorems say, and what the policies of this run do.

Input: the measurements of each task's SFT policy, which is the reference, and of its SFT+GRPO policy, and the grid of
generalisation. Intervals are bootstrapped over worlds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.report.labels import GRID_POLICY
from taskreason.report.tables.spec import Table, spread
from taskreason.report.tables.theory_specs import (
    ALL,
    PARTS,
    POLICIES,
    REFERENCE,
    REPLIES,
    make_specs,
)
from taskreason.rollouts.metrics import wilson_interval
from taskreason.theory import analysis
from taskreason.theory.analysis import expect_worse, sign_test
from taskreason.theory.theorems import find_fixed_point

Tables = Mapping[tuple[str, str], pd.DataFrame]
"""By policy and task."""


@dataclass(frozen=True)
class Theory:
    """states, worlds, along, horizons: the tables of :mod:`taskreason.theory.analysis`; grid: SR by training task and
    evaluated task."""

    cfg: Config
    states: Tables
    worlds: Tables
    along: Tables
    horizons: Tables
    grid: Mapping[tuple[str, str], float]

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks of the run, from simple to complex."""
        return self.cfg.tasks

    @property
    def beta(self) -> float:
        """The weight of GRPO's KL divergence."""
        return self.cfg.grpo.beta

    def bootstrap(self, values: pd.Series, worlds: pd.Series) -> tuple[float, float, float]:
        """A mean with its interval over worlds."""
        return analysis.mean_interval(values, worlds, self.cfg.report.confidence)

    def pair(self, table: str, task: str, keys: Sequence[str]) -> pd.DataFrame:
        """One of the tables for both policies side by side: columns end in _sft and _sft_grpo."""
        left, right = (getattr(self, table)[policy, task] for policy in POLICIES)
        return left.merge(right, on=list(keys), suffixes=[f"_{policy}" for policy in POLICIES])


def load_theory(measured: Mapping[tuple[str, str], Path], grid: Path, cfg: Config) -> Theory:
    """Read the measurements, by policy and task, and the table of generalisation."""
    rows = {key: analysis.read_measurement(path) for key, path in measured.items()}
    return Theory(
        cfg,
        {key: analysis.list_states(part) for key, part in rows.items()},
        {key: analysis.predict_worlds(part, cfg.report.confidence) for key, part in rows.items()},
        {key: analysis.predict_along(part) for key, part in rows.items()},
        {key: analysis.follow_horizons(part) for key, part in rows.items()},
        read_grid(grid),
    )


def read_grid(path: Path) -> dict[tuple[str, str], float]:
    """Mean SR over seeds of every cell of the table of generalisation, as written by the report."""
    try:
        cells = pd.read_csv(path).groupby(["train_task", "eval_task"])["sr"].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of SR by task; make it with `snakemake {path}`"
        ) from None
    return cells.to_dict()


def make_single(theory: Theory) -> pd.DataFrame:
    """Theorem 3.1: how often single replies are right, before GRPO and after it, state by state."""
    records = []
    for task in theory.tasks:
        both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
        for place, right in REPLIES:
            part = both[both["place"] == place]
            if part.empty:
                continue
            before, after = (part[f"{right}_{p}"] / part[f"replies_{p}"] for p in POLICIES)
            values = {REFERENCE: before, GRID_POLICY: after, "gain": after - before}
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
                    "worse_by_chance": expect_worse(_count_pairs(part, right))[0],
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
    keys = list(product(theory.tasks, POLICIES))
    parts = [(theory.worlds[policy, task], theory.states[policy, task]) for task, policy in keys]
    pooled = [pd.concat(tables) for tables in zip(*parts, strict=True)]
    records = []
    for (task, policy), (worlds, states) in zip([*keys, (ALL, ALL)], [*parts, pooled], strict=True):
        known = states[states["place"] == "expert"]
        of_states = {
            "unique_states": known["choices"] == 1,
            "denied": (known["optimal"] - known["expert"].astype(float)) / known["replies"],
        }
        of_worlds = worlds[["predicted", "observed"]].assign(
            error=worlds["predicted"] - worlds["observed"]
        )
        records.append(
            {
                "task": task,
                "policy": policy,
                "kitchens": len(worlds),
                "rollouts": worlds["rollouts"].sum(),
                "missed": worlds["missed"].mean(),
                **_bootstrap(theory, of_states, known["layout_hash"]),
                **_bootstrap(theory, of_worlds, worlds["layout_hash"]),
                **_find_share(theory, "unique_kitchens", worlds["unique"]),
                **_find_share(theory, "inside", worlds["inside"]),
            }
        )
    return pd.DataFrame(records)


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
        premise = assumed.reindex(holds.index, fill_value=False)
        records.append(
            {
                "task": task,
                "kitchens": len(holds),
                **_bootstrap(theory, values, first["layout_hash"]),
                "states_not_lower": (gains >= 0).mean(),
                "kitchens_not_lower": holds.mean(),
                "assumption": premise.mean(),
                "assumption_by_chance": by_chance,
                "given_assumption": holds[premise].mean(),
            }
        )
    return pd.DataFrame(records)


def make_horizons(theory: Theory) -> pd.DataFrame:
    """Corollary 3.2: getting through the first third, two thirds and the whole of the expert's trajectory."""
    records = []
    for task, policy, share in product(theory.tasks, POLICIES, PARTS.values()):
        table = theory.horizons[policy, task]
        last = table.groupby("layout_hash")["horizon"].transform("max")
        part = table[table["horizon"] == (share * last).round().clip(lower=1)]
        means = {"steps": part["horizon"].mean(), "product": part["product"].mean()}
        seen = _bootstrap(theory, part[["observed"]], part["layout_hash"])
        records.append({"task": task, "policy": policy, "share": share} | means | seen)
    return pd.DataFrame(records)


def make_grid(theory: Theory) -> pd.DataFrame:
    """Corollary 3.2 across tasks: what a task shares with the one trained on, SR, and their rank correlation."""
    cfg, records = theory.cfg, []
    for trained, task in permutations(theory.tasks, 2):
        shared = cfg.env.compare_tasks(cfg.task(trained), cfg.task(task))
        sr = theory.grid[trained, task]
        records.append({"train_task": trained, "eval_task": task, **shared, "sr": sr})
    frame = pd.DataFrame(records)
    ranks = frame.drop(columns=["train_task", "eval_task"], errors="ignore").rank().corr()
    others = ranks.columns.drop("sr", errors="ignore")
    return frame.assign(**{f"{key}_correlation": ranks.loc[key, "sr"] for key in others})


def _bootstrap(
    theory: Theory, values: Mapping[str, pd.Series] | pd.DataFrame, worlds: pd.Series
) -> dict[str, float]:
    """The mean of each with its interval over worlds."""
    return spread({key: theory.bootstrap(column, worlds) for key, column in values.items()})


def _find_share(theory: Theory, name: str, holds: pd.Series) -> dict[str, float]:
    """In how many worlds something holds, with Wilson's interval."""
    interval = wilson_interval(int(holds.sum()), len(holds), theory.cfg.report.confidence)
    return spread({name: (holds.mean(), *interval)})


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


def make_tables(theory: Theory) -> dict[str, Table]:
    """All tables of the theory."""
    frames = {
        "theory_single": make_single(theory),
        "theory_recursion": make_recursion(theory),
        "theory_multi": make_multi(theory),
        "theory_horizons": make_horizons(theory),
        "theory_grid": make_grid(theory),
    }
    specs = make_specs(theory.cfg.env)
    return {name: Table(frame, specs[name]) for name, frame in frames.items()}
