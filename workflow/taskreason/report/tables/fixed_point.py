"""The table of the fixed point: where GRPO gets to on a few states, and where the theory says that it should.

Input: the files of :mod:`taskreason.theory.choice`, and the logs of the trainings. Intervals are bootstrapped over
states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pandas as pd

from taskreason.report.tables import spec
from taskreason.report.tables.spec import Spec, Table, columns, name, spread
from taskreason.theory.analysis import mean_interval
from taskreason.theory.fixed_point import find_drift, list_fixed

EDGES = (0.0, 0.5, 0.7, 1.0)
"""Between which chances before training states are put together."""
LABELS = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
WHOLE = "all"


@dataclass(frozen=True)
class Fixed:
    """states: one row a beta and state, as :func:`taskreason.theory.fixed_point.list_fixed` has it; drift: of the mean
    reward at the end of each beta's training; confidence: of the intervals."""

    states: pd.DataFrame
    drift: dict[float, float]
    confidence: float


def load_fixed(
    chosen: Path, trained: Sequence[tuple[float, Path, Path]], group: int, confidence: float
) -> Fixed:
    """From the states before training, and of each beta those after it and the log of the training."""
    states = list_fixed(chosen, [(beta, path) for beta, path, _ in trained], group)
    return Fixed(states, {beta: find_drift(log) for beta, _, log in trained}, confidence)


def make_rows(fixed: Fixed) -> pd.DataFrame:
    """One row a beta and range of chances before, and one for all states of a beta.

    columns: beta; range, of p_ref; states; inside, how many of them lie in the range that was asked for; p_ref, p,
    limit, stationary, means; off, p - limit, and off_stationary, p - stationary, means with their intervals; distance
    and distance_stationary, means of their absolute values; width, of the bounds on p, the mean; drift.
    """
    records = []
    for beta, own in fixed.states.groupby("beta"):
        cut = pd.cut(own["p_ref"], EDGES, include_lowest=True, labels=LABELS)
        for label, part in [*own.groupby(cut, observed=True), (WHOLE, own)]:
            off = {
                "off": part["p"] - part["limit"],
                "off_stationary": part["p"] - part["stationary"],
            }
            means = {key: part[key].mean() for key in ("p_ref", "limit", "stationary", "p")}
            distances = {
                key.replace("off", "distance"): value.abs().mean() for key, value in off.items()
            }
            intervals = {
                key: mean_interval(value, part["prompt"], fixed.confidence)
                for key, value in off.items()
            }
            known = {"beta": beta, "range": label, "states": len(part)}
            known["inside"] = int(part["inside"].sum())
            width = (part["p_high"] - part["p_low"]).mean()
            records.append(
                known
                | means
                | spread(intervals)
                | distances
                | {"width": width}
                | {"drift": fixed.drift[beta]}
            )
    return pd.DataFrame(records)


NAMES = [name("beta", "Beta", lambda text: f"{float(text):g}"), name("range", "Before")]
VALUES = [
    *columns(spec.COUNT, states="States"),
    *columns(spec.FINE, p_ref="p before", limit="Limit", stationary="Still", p="p after"),
    *columns("+.3f", off="p over|limit", off_stationary="p over|still"),
    *columns(spec.FINE, distance="Distance|limit", distance_stationary="Distance|still"),
]
SPECS = {"theory_fixed_point": [Spec(NAMES, VALUES)]}


def make_table(fixed: Fixed) -> Table:
    """The rows, and how they are printed."""
    return Table(make_rows(fixed), SPECS["theory_fixed_point"])
