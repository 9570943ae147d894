"""The tables of the theory: what the paper's theorems say, and what the policies of this run do.

Input: the measurements of each task's SFT policy, which is the reference, and of its SFT+GRPO policy, and the grid of
generalisation. Intervals of means are bootstrapped over worlds. What is said of single states and worlds is judged
within the bounds on their chances: higher, lower, or nobody can tell.
"""

from collections.abc import Mapping, Sequence
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
    POLICIES,
    REFERENCE,
    REPLIES,
    make_specs,
)
from taskreason.rollouts.metrics import wilson_interval
from taskreason.theory import analysis
from taskreason.theory.analysis import PARTS, cut_horizon
from taskreason.theory.posterior import judge_outside, pool
from taskreason.theory.theorems import find_fixed_point

KEYS = ("layout_hash", "place", "depth", "choices")
"""What a state is found by in both policies' measurements."""
BOUNDS = ("predicted", "predicted_low", "predicted_high")
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

    def tell_apart(
        self, both: pd.DataFrame, name: str, tests: int | pd.Series = 1
    ) -> tuple[pd.Series, pd.Series]:
        """Where a quantity of :meth:`pair` is higher after GRPO, and where it is lower."""
        return analysis.tell_apart(both, name, *POLICIES, self.cfg.report.confidence, tests)


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
        both = theory.pair("states", task, KEYS)
        for place, right in REPLIES:
            part = both[both["place"] == place]
            if part.empty:
                continue
            before, after = (part[f"{right}_{policy}"].astype(float) for policy in POLICIES)
            values = {REFERENCE: before, GRID_POLICY: after, "gain": after - before}
            up, down = theory.tell_apart(part, right)
            records.append(
                {
                    "task": task,
                    "place": place,
                    "right": right,
                    "states": len(part),
                    **_bootstrap(theory, values, part["layout_hash"]),
                    "improved": up.mean(),
                    "undecided": 1 - (up | down).mean(),
                    "worse": down.mean(),
                    **{f"listed_{policy}": part[f"listed_{policy}"].mean() for policy in POLICIES},
                    **{
                        f"enumerated_{policy}": (part[f"method_{policy}"] == "enumerated").mean()
                        for policy in POLICIES
                    },
                    "sd": max(part[f"{right}_sd_{policy}"].mean() for policy in POLICIES),
                    "fixed_point": (
                        find_fixed_point(before, theory.beta).mean() if theory.beta else None
                    ),
                }
            )
    return pd.DataFrame(records)


def make_recursion(theory: Theory) -> pd.DataFrame:
    """Theorem 3.2: success in the fewest steps, predicted from single decisions and seen in episodes of their own.

    columns of the judgement: range_low and range_high, the share of all episodes between whose ends it lies if the
    recursion holds; error, its interval over worlds, widened by the bounds on the prediction; p_value, of the number of
    successes in all episodes together; outside_p_value, of the number of worlds outside their own range. The last row
    is of all tasks and both policies together.
    """
    keys = list(product(theory.tasks, POLICIES))
    parts = [(theory.worlds[policy, task], theory.states[policy, task]) for task, policy in keys]
    pooled = [pd.concat(tables) for tables in zip(*parts, strict=True)]
    confidence, records = theory.cfg.report.confidence, []
    for (task, policy), (worlds, states) in zip([*keys, (ALL, ALL)], [*parts, pooled], strict=True):
        known = states[states["place"] == "expert"]
        of_states = {
            "unique_states": known["choices"] == 1,
            "denied": known["optimal"] - known["expert"].astype(float),
        }
        whole = pool(worlds["counts"])
        error, low, high = theory.bootstrap(
            worlds["predicted"] - worlds["observed"], worlds["layout_hash"]
        )
        low -= (worlds["predicted"] - worlds["predicted_low"]).mean()
        high += (worlds["predicted_high"] - worlds["predicted"]).mean()
        observed = theory.bootstrap(worlds["observed"], worlds["layout_hash"])
        records.append(
            {
                "task": task,
                "policy": policy,
                "kitchens": len(worlds),
                "rollouts": worlds["rollouts"].sum(),
                **_bootstrap(theory, of_states, known["layout_hash"]),
                **{key: worlds[key].mean() for key in BOUNDS},
                **spread({"observed": observed, "error": (error, low, high)}),
                **dict(zip(["range_low", "range_high"], whole.find_range(confidence), strict=True)),
                "p_value": whole.judge(),
                "outside_p_value": judge_outside(worlds["counts"], confidence),
                **_find_share(theory, "unique_kitchens", worlds["unique"]),
                **_find_share(theory, "inside", worlds["inside"]),
            }
        )
    return pd.DataFrame(records)


def make_multi(theory: Theory) -> pd.DataFrame:
    """Theorem 3.3: whether GRPO raises P(s_t) along the trajectory, and whether its assumption holds.

    The shares of what is not lower come with two ends: what is shown to be no lower, and what is not shown to be.
    """
    records = []
    for task in theory.tasks:
        along = theory.pair("along", task, ["layout_hash", "depth", "left"])
        first = along[along["depth"] == 0]
        values = {policy: first[f"success_{policy}"] for policy in POLICIES}
        values["gain"] = values[GRID_POLICY] - values[REFERENCE]
        states = _judge_states(theory, along, "success")
        holds = _judge_worlds(theory, along, "success")
        premise = _judge_worlds(theory, theory.pair("states", task, KEYS), "optimal")
        premise = premise.reindex(holds.index, fill_value=False)
        given = holds["point"][premise["point"]]
        records.append(
            {
                "task": task,
                "kitchens": len(holds),
                **_bootstrap(theory, values, first["layout_hash"]),
                **_spread_ends("states_not_lower", states),
                **_spread_ends("kitchens_not_lower", holds),
                **_spread_ends("assumption", premise),
                "given_assumption": given.mean(),
            }
        )
    return pd.DataFrame(records)


def make_horizons(theory: Theory) -> pd.DataFrame:
    """Corollary 3.2: getting through the first third, two thirds and the whole of the expert's trajectory.

    columns: product, of the chances of the expert's actions; predicted, the chance that all decisions so far are
    optimal, within bounds; observed; p_value, of what was observed if the prediction holds; gain, of the prediction
    after GRPO over that before.
    """
    tables = {key: _pick_horizons(table) for key, table in theory.horizons.items()}
    records = []
    for task, policy, share in product(theory.tasks, POLICIES, PARTS):
        part = tables[policy, task][share]
        means = {key: part[key].mean() for key in ("product", *BOUNDS)}
        seen = {"observed": part["observed"]}
        if policy != REFERENCE:
            seen["gain"] = part["predicted"] - tables[REFERENCE, task][share]["predicted"]
        found = {"task": task, "policy": policy, "share": share, "steps": part["horizon"].mean()}
        judged = {"p_value": pool(part["counts"]).judge()}
        records.append(found | means | _bootstrap(theory, seen, part["layout_hash"]) | judged)
    return pd.DataFrame(records)


def _pick_horizons(table: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """For each share of the trajectory the rows of its horizon, one a world, numbered alike for every policy."""
    last = table.groupby("layout_hash")["horizon"].transform("max")
    ends = {share: [cut_horizon(share, steps) for steps in last] for share in PARTS}
    return {
        share: table[table["horizon"] == end].reset_index(drop=True) for share, end in ends.items()
    }


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


def _judge_states(theory: Theory, both: pd.DataFrame, name: str, tests=1) -> pd.DataFrame:
    """Of each row, whether a quantity is no lower after GRPO: by its point, as is shown, and as is not refuted."""
    up, down = theory.tell_apart(both, name, tests)
    point = both[f"{name}_{GRID_POLICY}"] >= both[f"{name}_{REFERENCE}"]
    return pd.DataFrame({"point": point, "low": up, "high": ~down})


def _judge_worlds(theory: Theory, both: pd.DataFrame, name: str) -> pd.DataFrame:
    """The same of all states of each world, where not one of them is to be judged wrongly."""
    tests = both.groupby("layout_hash")["depth"].transform("size")
    return _judge_states(theory, both, name, tests).groupby(both["layout_hash"]).all()


def _spread_ends(name: str, judged: pd.DataFrame) -> dict[str, float]:
    return spread({name: tuple(judged[end].mean() for end in ("point", "low", "high"))})


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
