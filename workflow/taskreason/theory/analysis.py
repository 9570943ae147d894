"""From what :mod:`taskreason.theory.measure` found to the quantities of the theorems, with intervals.

Input: one list of measured worlds a policy; output: pandas tables with one row a state or world. Light: torch is
not needed. What is known of a single chance, and how it is drawn, is in :mod:`taskreason.theory.posterior`.

Columns of a quantity Q that is known within bounds: Q, a point; Q_low and Q_high, means of the ends; Q_sd, the standard
deviation of either. Two of them are told apart by :func:`tell_apart`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from taskreason.durability.files import read_lines
from taskreason.rollouts.metrics import cut_tails
from taskreason.theory.posterior import Counts, draw_state, estimate, find_bounds
from taskreason.theory.theorems import Chance, multiply_along, predict_success

KEYS = ("layout_hash", "optimal_steps", "states", "off_path", "rollouts")
UNASKED = -1
RESAMPLES = 2000
"""Of the worlds, for the interval of a mean."""
PARTS = (1 / 3, 2 / 3, 1.0)
"""Shares of a trajectory after which sub-tasks end whose prediction is judged."""

Row = Mapping[str, Any]
Drawn = list[tuple[Mapping[str, Chance], Chance]]
"""Of each state of a world: the least chance of each optimal action, and the mass that may belong to any."""


def read_measurement(path: Path) -> list[dict[str, Any]]:
    """The worlds of one measurement; UserError names file, line and fix where it is damaged."""
    return read_lines(Path(path), KEYS, str(path))


def list_states(rows: Sequence[Row]) -> pd.DataFrame:
    """One row an expert state or a state off the path, in the order of the file.

    columns: layout_hash; place, "expert" or "off_path"; depth, steps from the start; choices, number of optimal
    actions; method; listed, the probability of the replies that were enumerated; for expert, the chance of the expert's
    action (missing off the path), and optimal, that of any optimal one, the columns of a quantity within bounds, and
    those that end in _sure_low and _sure_high, between which it lies for certain.
    """
    found = []
    for row in rows:
        parts = [("expert", state) for state in row["states"] if state["expert"]]
        parts += [("off_path", state) for state in row["off_path"]]
        for place, state in parts:
            chances, actions = state["chances"], list(state["optimal"])
            known = {
                "layout_hash": row["layout_hash"],
                "place": place,
                "depth": state["depth"],
                "choices": len(actions),
                "method": chances["method"],
                "listed": 1 - chances["open"] - chances["lost"],
            }
            kinds = {"expert": [state["expert"]] if place == "expert" else [], "optimal": actions}
            for kind, right in kinds.items():
                bounds = asdict(find_bounds(chances, right, row["optimal_steps"])) if right else {}
                known[kind] = bounds.pop("point", None)
                known |= {f"{kind}_{key}": value for key, value in bounds.items()}
            found.append(known)
    return pd.DataFrame(found)


def predict_worlds(rows: Sequence[Row], confidence: float = 0.95) -> pd.DataFrame:
    """Theorem 3.2 in each world: minimal-step success by the recursion, and in episodes of their own.

    columns: layout_hash; optimal_steps; unique, whether every state of the expert's trajectory has one optimal action;
    predicted, within bounds; observed, out of rollouts episodes; range_low and range_high, between which the observed
    share lies with the given confidence if the recursion holds; inside; counts, its :class:`Counts`.
    """
    rng = np.random.default_rng(0)
    found = []
    for row in rows:
        rollouts = sum(row["rollouts"].values())
        seen = row["rollouts"].get(str(row["optimal_steps"]), 0)
        low, high = bound(row, draw_world(row, rng))
        counts = Counts.predict(low, high, seen, rollouts)
        range_low, range_high = counts.find_range(confidence)
        found.append(
            {
                "layout_hash": row["layout_hash"],
                "optimal_steps": row["optimal_steps"],
                "unique": all(len(s["optimal"]) == 1 for s in row["states"] if s["expert"]),
                **_summarise("predicted", solve(row, estimate_world(row)), low, high),
                "observed": seen / rollouts,
                "rollouts": rollouts,
                "range_low": range_low,
                "range_high": range_high,
                "inside": counts.is_inside(confidence),
                "counts": counts,
            }
        )
    return pd.DataFrame(found)


def predict_along(rows: Sequence[Row]) -> pd.DataFrame:
    """P(s_t) at every state of the expert's trajectory (Theorem 3.3).

    columns: layout_hash; depth; left, steps that the optimum still needs; success, P(s_t) by the recursion, within
    bounds.
    """
    rng = np.random.default_rng(0)
    found = []
    for row in rows:
        points, drawn = estimate_world(row), draw_world(row, rng)
        for number, state in enumerate(row["states"]):
            if state["expert"]:
                ends = bound(row, drawn, start=number)
                point = solve(row, points, start=number)
                place = {"layout_hash": row["layout_hash"], "depth": state["depth"]}
                place["left"] = row["optimal_steps"] - state["depth"]
                found.append(place | _summarise("success", point, *ends))
    return pd.DataFrame(found)


def follow_horizons(rows: Sequence[Row]) -> pd.DataFrame:
    """Corollary 3.2: how often the policy gets through sub-tasks that end after k steps of the expert's trajectory.

    columns: layout_hash; horizon k; product, of the chances of the expert's first k actions; predicted, the chance that
    the first k decisions are all optimal, within bounds; observed, the share of episodes in which they were; counts,
    its :class:`Counts` at the horizons of ``PARTS``, None at others.
    """
    rng = np.random.default_rng(0)
    found = []
    for row in rows:
        points, drawn = estimate_world(row), draw_world(row, rng)
        chances = [estimate(s["chances"], [s["expert"]]) for s in row["states"] if s["expert"]]
        lasted = {int(steps): times for steps, times in row["rollouts"].items()}
        rollouts, judged = sum(lasted.values()), {cut_horizon(p, len(chances)) for p in PARTS}
        for horizon, product in enumerate(multiply_along(chances), start=1):
            through = sum(times for steps, times in lasted.items() if steps >= horizon)
            low, high = bound(row, drawn, horizon=horizon)
            point = solve(row, points, horizon=horizon)
            counts = Counts.predict(low, high, through, rollouts) if horizon in judged else None
            found.append(
                {
                    "layout_hash": row["layout_hash"],
                    "horizon": horizon,
                    "product": product,
                    **_summarise("predicted", point, low, high),
                    "observed": through / rollouts,
                    "counts": counts,
                }
            )
    return pd.DataFrame(found)


def cut_horizon(share: float, steps: int) -> int:
    """The steps of a trajectory's first part, at least one."""
    return max(1, round(share * steps))


def estimate_world(row: Row) -> Drawn:
    """A point for each chance of a world."""
    return [
        ({text: estimate(state["chances"], [text]) for text in state["optimal"]}, 0.0)
        for state in row["states"]
    ]


def draw_world(row: Row, rng: np.random.Generator) -> Drawn:
    """Draws for each state of a world."""
    return [draw_state(state, row["optimal_steps"], rng) for state in row["states"]]


def bound(row: Row, drawn: Drawn, start: int = 0, horizon: int = 0) -> tuple[Chance, Chance]:
    """Draws of the least and of the largest success that the chances allow, with states that were not asked about."""
    low = solve(row, [(least, 0.0) for least, _ in drawn], 0.0, start, horizon)
    return low, np.minimum(solve(row, drawn, 1.0, start, horizon), 1.0)


def solve(row: Row, drawn: Drawn, unasked: float = 0.0, start: int = 0, horizon: int = 0) -> Chance:
    """The recursion on a measured world. unasked: P of the states that were not asked about; horizon: steps after
    which a sub-task ends, 0 for the whole."""
    states, goal = row["states"], len(row["states"])
    leads = {goal: {}, UNASKED: {"": goal}}
    for number, state in enumerate(states):
        last = state["depth"] + 1 == horizon
        ends = state["optimal"].items()
        leads[number] = {text: goal if last or after is None else after for text, after in ends}
    known = dict(enumerate(drawn)) | {UNASKED: ({"": unasked}, 0.0)}
    return predict_success(start, leads.get, lambda n: known[n][0], lambda n: known[n][1])


def _summarise(name: str, point: Chance, low: Chance, high: Chance) -> dict[str, float]:
    """The columns of a quantity within bounds, to which the plain estimate belongs: where few thoughts were drawn of a
    chance far from 1, the prior alone lifts both ends above it.
    """
    return {
        name: float(point),
        f"{name}_low": min(float(point), float(np.mean(low))),
        f"{name}_high": max(float(point), float(np.mean(high))),
        f"{name}_sd": max(float(np.std(end)) if np.ndim(end) else 0.0 for end in (low, high)),
    }


def tell_apart(
    both: pd.DataFrame,
    name: str,
    before: str,
    after: str,
    confidence: float,
    tests: int | pd.Series = 1,
) -> tuple[pd.Series, pd.Series]:
    """Where a quantity is higher after GRPO than before, and where it is lower; where neither, nobody can tell.

    Columns of ``both`` end in _BEFORE and _AFTER. tests: of how many such comparisons not one is to err, with the given
    confidence (Bonferroni).
    """
    beyond = norm.isf((1 - confidence) / 2 / tests)
    sd = beyond * np.hypot(both[f"{name}_sd_{before}"], both[f"{name}_sd_{after}"])
    up = both[f"{name}_low_{after}"] - both[f"{name}_high_{before}"] > sd
    down = both[f"{name}_low_{before}"] - both[f"{name}_high_{after}"] > sd
    return up, down


def mean_interval(
    values: pd.Series, worlds: pd.Series, confidence: float = 0.95
) -> tuple[float, float, float]:
    """A mean with its bootstrap interval; whole worlds are drawn, since their states go together."""
    groups = pd.DataFrame({"value": values.to_numpy(float), "world": worlds.to_numpy()})
    sums = groups.groupby("world")["value"].agg(["sum", "count"]).to_numpy()
    picks = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    drawn = sums[picks].sum(axis=1)
    return float(groups["value"].mean()), *cut_tails(drawn[:, 0] / drawn[:, 1], confidence)
