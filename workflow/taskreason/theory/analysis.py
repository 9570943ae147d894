"""From what :mod:`taskreason.theory.measure` counted to the quantities of the theorems, with intervals.

Input: one list of measured worlds a policy; output: pandas tables with one row a state or world. Light: torch is
not needed.

Intervals come from a posterior: at each state the chances of its optimal actions and of all others together are drawn
from a Dirichlet distribution whose prior is uniform for the success of a whole trajectory, not for that of each state
(uniform at each of twenty states would put success at (n/(n+1))^20 before a single failure was seen).

States that are asked about before GRPO and after it are compared pair by pair. A state whose chance of a right reply
stays the same still has fewer right ones in every other sample, so a count of states that became worse means something
only against the count that no change at all would give.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, hypergeom

from taskreason.durability.files import read_lines
from taskreason.rollouts.metrics import cut_tails
from taskreason.theory.theorems import Chance, multiply_along, predict_success

DRAWS = 2000
KEYS = ("layout_hash", "optimal_steps", "states", "off_path", "rollouts")
UNASKED = -1

Row = Mapping[str, Any]


def read_measurement(path: Path) -> list[dict[str, Any]]:
    """The worlds of one measurement; UserError names file, line and fix where it is damaged."""
    return read_lines(Path(path), KEYS, str(path))


def list_states(rows: Sequence[Row]) -> pd.DataFrame:
    """One row an expert state or a state off the path, in the order of the file.

    columns: layout_hash; place, "expert" or "off_path"; depth, steps from the start; replies; expert, how many named
    the expert's action (missing off the path); optimal, how many named any optimal one; choices, how many those are.
    """
    found = []
    for row in rows:
        parts = [("expert", state) for state in row["states"] if state["expert"]]
        parts += [("off_path", state) for state in row["off_path"]]
        for place, state in parts:
            counts = state["counts"]
            found.append(
                {
                    "layout_hash": row["layout_hash"],
                    "place": place,
                    "depth": state["depth"],
                    "replies": sum(counts.values()),
                    "expert": counts.get(state["expert"], 0) if place == "expert" else None,
                    "optimal": sum(counts.get(text, 0) for text in state["optimal"]),
                    "choices": len(state["optimal"]),
                }
            )
    return pd.DataFrame(found)


def predict_worlds(rows: Sequence[Row], confidence: float = 0.95) -> pd.DataFrame:
    """Theorem 3.2 in each world: minimal-step success by the recursion, and in episodes of their own.

    columns: layout_hash; optimal_steps; unique, whether every state of the expert's trajectory has one optimal action;
    predicted; missed, by how much states that were not asked about could raise it; observed, out of rollouts episodes;
    low and high, between which the observed share lies with the given confidence if the recursion holds; inside.
    """
    rng = np.random.default_rng(0)
    found = []
    for row in rows:
        rollouts = sum(row["rollouts"].values())
        observed = row["rollouts"].get(str(row["optimal_steps"]), 0) / rollouts
        predicted = float(solve(row, estimate_chances(row)))
        draws = np.clip(solve(row, draw_chances(row, rng)), 0, 1)
        low, high = cut_tails(rng.binomial(rollouts, draws) / rollouts, confidence)
        missed = float(solve(row, estimate_chances(row), unasked=1.0)) - predicted
        found.append(
            {
                "layout_hash": row["layout_hash"],
                "optimal_steps": row["optimal_steps"],
                "unique": all(len(s["optimal"]) == 1 for s in row["states"] if s["expert"]),
                "predicted": predicted,
                "missed": missed,
                "low": low,
                "high": high,
                "observed": observed,
                "rollouts": rollouts,
                "inside": low <= observed <= high + missed,
            }
        )
    return pd.DataFrame(found)


def predict_along(rows: Sequence[Row]) -> pd.DataFrame:
    """P(s_t) at every state of the expert's trajectory (Theorem 3.3).

    columns: layout_hash; depth; left, steps that the optimum still needs; success, P(s_t) by the recursion.
    """
    found = []
    for row in rows:
        chances = estimate_chances(row)
        for number, state in enumerate(row["states"]):
            if state["expert"]:
                depth, success = state["depth"], float(solve(row, chances, start=number))
                found.append((row["layout_hash"], depth, row["optimal_steps"] - depth, success))
    return pd.DataFrame(found, columns=["layout_hash", "depth", "left", "success"])


def follow_horizons(rows: Sequence[Row]) -> pd.DataFrame:
    """Corollary 3.2: how often the policy gets through sub-tasks that end after k steps of the expert's trajectory.

    columns: layout_hash; horizon k; product, of the chances of the expert's first k actions; observed, the share of
    episodes whose first k decisions were all optimal.
    """
    found = []
    for row in rows:
        states = [state for state in row["states"] if state["expert"]]
        chances = [s["counts"].get(s["expert"], 0) / sum(s["counts"].values()) for s in states]
        lasted = {int(steps): times for steps, times in row["rollouts"].items()}
        for horizon, product in enumerate(multiply_along(chances), start=1):
            through = sum(times for steps, times in lasted.items() if steps >= horizon)
            found.append((row["layout_hash"], horizon, product, through / sum(lasted.values())))
    return pd.DataFrame(found, columns=["layout_hash", "horizon", "product", "observed"])


def estimate_chances(row: Row) -> list[dict[str, float]]:
    """For each state of a world, the share of replies that named each action."""
    counted = [state["counts"] for state in row["states"]]
    return [{text: n / sum(counts.values()) for text, n in counts.items()} for counts in counted]


def draw_chances(row: Row, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """For each state, draws from the posterior of each optimal action's chance."""
    drawn = []
    for state in row["states"]:
        texts = list(state["optimal"])
        hits = np.array([state["counts"].get(text, 0) for text in texts], dtype=float)
        misses = sum(state["counts"].values()) - hits.sum()
        shape = [*(hits + 1 / len(texts)), misses + 1 / row["optimal_steps"]]
        weights = rng.gamma(shape, size=(DRAWS, len(shape)))
        shares = weights / weights.sum(axis=1, keepdims=True)
        drawn.append(dict(zip(texts, shares.T, strict=False)))
    return drawn


def solve(
    row: Row, chances: Sequence[Mapping[str, Chance]], unasked: float = 0.0, start: int = 0
) -> Chance:
    """The recursion on a measured world. unasked: P of the states that were not asked about."""
    goal = len(row["states"])
    leads = {goal: {}, UNASKED: {"": goal}}
    for number, state in enumerate(row["states"]):
        ends = state["optimal"].items()
        leads[number] = {text: goal if after is None else after for text, after in ends}
    known = dict(enumerate(chances)) | {UNASKED: {"": unasked}}
    return predict_success(start, leads.get, known.get)


def mean_interval(
    values: pd.Series, worlds: pd.Series, confidence: float = 0.95
) -> tuple[float, float, float]:
    """A mean with its bootstrap interval; whole worlds are drawn, since their states go together."""
    groups = pd.DataFrame({"value": values.to_numpy(float), "world": worlds.to_numpy()})
    sums = groups.groupby("world")["value"].agg(["sum", "count"]).to_numpy()
    picks = np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))
    drawn = sums[picks].sum(axis=1)
    return float(groups["value"].mean()), *cut_tails(drawn[:, 0] / drawn[:, 1], confidence)


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p-value of these numbers of signs up and down, if both were equally likely; 1 without any."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


@cache
def chance_of_worse(hits: int, before: int, after: int) -> float:
    """How likely it is that the second sample has the lower share of hits, if both are dealt from one population.

    hits: in both samples together, which hold ``before`` and ``after`` replies. The hits in the first sample are then
    hypergeometric, whatever the chance of a hit is; the share falls where it holds more than its part of them.
    """
    return float(hypergeom.sf(hits * before // (before + after), before + after, hits, before))


def expect_worse(counts: Iterable[tuple[int, int, int]]) -> tuple[float, float]:
    """By chance alone: the share of states with a lower share of hits, and how likely it is that there is none.

    counts: hits in both samples together, replies before and after, of every state.
    """
    chances = [chance_of_worse(*map(int, count)) for count in counts]
    return sum(chances) / max(1, len(chances)), prod(1 - chance for chance in chances)
