"""What the theory's tables and figures are made from: the measurements of the SFT policy, which is the reference, and
of the SFT+GRPO policy of each task, and the grid of generalisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.report.labels import GRID_POLICY
from taskreason.theory.analysis import (
    follow_horizons,
    list_states,
    mean_interval,
    predict_along,
    predict_worlds,
    read_measurement,
)

REFERENCE = "sft"
POLICIES = (REFERENCE, GRID_POLICY)
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
        return self.cfg.tasks

    @property
    def beta(self) -> float:
        """The weight of GRPO's KL divergence."""
        return self.cfg.grpo.beta

    def bootstrap(self, values: pd.Series, worlds: pd.Series) -> tuple[float, float, float]:
        """A mean with its interval over worlds."""
        return mean_interval(values, worlds, self.cfg.report.confidence)

    def pair(self, table: str, task: str, keys: Sequence[str]) -> pd.DataFrame:
        """One of the tables for both policies side by side: columns end in _sft and _sft_grpo."""
        left, right = (getattr(self, table)[policy, task] for policy in POLICIES)
        return left.merge(right, on=list(keys), suffixes=[f"_{policy}" for policy in POLICIES])


def load_theory(measured: Mapping[tuple[str, str], Path], grid: Path, cfg: Config) -> Theory:
    """Read the measurements, by policy and task, and the table of generalisation."""
    rows = {key: read_measurement(path) for key, path in measured.items()}
    return Theory(
        cfg,
        {key: list_states(part) for key, part in rows.items()},
        {key: predict_worlds(part, cfg.report.confidence) for key, part in rows.items()},
        {key: predict_along(part) for key, part in rows.items()},
        {key: follow_horizons(part) for key, part in rows.items()},
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
    return {key: float(sr) for key, sr in cells.items()}
