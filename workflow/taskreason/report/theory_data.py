"""What the theory's tables and figures are made from: the measurements of the SFT policy, which is the reference, and
of the SFT+GRPO policy of each task, and the grid of generalisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from taskreason.config.models import Recipe
from taskreason.durability.errors import UserError
from taskreason.report.labels import GRID_POLICY
from taskreason.theory.analysis import (
    follow_horizons,
    list_states,
    mean_interval,
    predict_along,
    predict_kitchens,
    read_measurement,
)

REFERENCE = "sft"
POLICIES = (REFERENCE, GRID_POLICY)


@dataclass(frozen=True)
class Theory:
    """states, kitchens, along, horizons: the tables of :mod:`taskreason.theory.analysis` by policy and task.

    grid: SR by training task and evaluated task; beta: GRPO's; confidence: level of all intervals; recipes: those of
    tasks beside the four.
    """

    tasks: tuple[str, ...]
    states: Mapping[tuple[str, str], pd.DataFrame]
    kitchens: Mapping[tuple[str, str], pd.DataFrame]
    along: Mapping[tuple[str, str], pd.DataFrame]
    horizons: Mapping[tuple[str, str], pd.DataFrame]
    grid: Mapping[tuple[str, str], float]
    beta: float
    confidence: float
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def bootstrap(self, values: pd.Series, kitchens: pd.Series) -> tuple[float, float, float]:
        """A mean with its interval over kitchens."""
        return mean_interval(values, kitchens, self.confidence)

    def pair(self, table: str, task: str, keys: Sequence[str]) -> pd.DataFrame:
        """One of the tables for both policies side by side: columns end in _sft and _sft_grpo."""
        tables = getattr(self, table)
        left, right = (tables[policy, task] for policy in POLICIES)
        return left.merge(right, on=list(keys), suffixes=[f"_{policy}" for policy in POLICIES])


def load_theory(
    measured: Mapping[tuple[str, str], Path],
    tasks: Sequence[str],
    beta: float,
    confidence: float,
    grid: Mapping[tuple[str, str], float],
    recipes: Mapping[str, Recipe] | None = None,
) -> Theory:
    """Read the measurements, by policy and task, and work out all that the tables show."""
    rows = {key: read_measurement(path) for key, path in measured.items()}
    return Theory(
        tuple(tasks),
        {key: list_states(part) for key, part in rows.items()},
        {key: predict_kitchens(part, confidence) for key, part in rows.items()},
        {key: predict_along(part) for key, part in rows.items()},
        {key: follow_horizons(part) for key, part in rows.items()},
        grid,
        beta,
        confidence,
        recipes or {},
    )


def read_grid(path: Path) -> dict[tuple[str, str], float]:
    """Mean SR over seeds of every cell of the table of generalisation, as written by the report."""
    try:
        cells = pd.read_csv(path).groupby(["train_task", "eval_task"])["sr"].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of SR by task; make it with `snakemake {path}`"
        ) from None
    return {key: float(sr) for key, sr in cells.items()}
