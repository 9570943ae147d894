"""The map of regimes: which trainings cross thought noise, trajectories, epochs of SFT and steps of GRPO.

A start is an SFT policy, or the base model where there are no epochs; a point is GRPO from a start, beside which its
control is trained: SFT from the same start on as many replies as GRPO samples. The whole grid is trained with the first
number of steps and the first seed; further seeds and numbers of steps have a part of it, as the configuration says.
"""

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from taskreason.config.models import Config


@dataclass(frozen=True)
class Start:
    """Where trainings begin. noise, trajectories: of the expert; epochs: of SFT, 0 for the base model."""

    noise: float
    trajectories: int
    epochs: int
    seed: int

    @property
    def expert(self) -> str:
        """The name of the expert's trajectories."""
        return f"noise={self.noise:g}.trajectories={self.trajectories}"

    @property
    def name(self) -> str:
        return f"{self.expert}.sft={self.epochs}.seed{self.seed}"

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """What differs from the configuration, group by group; the expert errs in its thoughts alone."""
        expert = {"policy": "planner", "noise": 0.0, "thought_noise": self.noise}
        expert |= {"trajectories": self.trajectories}
        return {"expert": expert} | ({"sft": {"epochs": self.epochs}} if self.epochs else {})


@dataclass(frozen=True)
class Point(Start):
    """A training of GRPO, and its control."""

    steps: int

    @property
    def start(self) -> Start:
        values = asdict(self)
        del values["steps"]
        return Start(**values)

    @property
    def name(self) -> str:
        return f"{self.start.name}.steps={self.steps}"

    @property
    def cell(self) -> tuple[float, int, int, int]:
        """What all seeds of a cell of the map have in common."""
        return self.noise, self.trajectories, self.epochs, self.steps

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """Validations are left out: they would take a third of the time, and no choice depends on them."""
        return super().changes | {"grpo": {"steps": self.steps, "epochs": 0, "eval_steps": 0}}


def count_epochs(share: float, cfg: Config) -> int:
    """Whole epochs of SFT: of a share of ``sft.epochs``, at least one where the share is above 0."""
    epochs = cfg.for_task(cfg.regimes.task).sft.epochs
    return max(1, round(share * epochs)) if share else 0


def list_points(cfg: Config) -> dict[str, Point]:
    """All points by name, seed by seed."""
    regimes = cfg.regimes
    first, *others = regimes.seeds
    short, *longer = regimes.steps
    grid = list(product(regimes.thought_noise, regimes.trajectories, regimes.sft))
    points = [(*cell, first, short) for cell in grid]
    points += [
        (*cell, first, steps)
        for cell in grid
        for steps in longer
        if cell[0] in regimes.prolonged_noise and cell[2] in regimes.prolonged_sft
    ]
    points += [
        (*cell, seed, short) for seed in others for cell in grid if cell[2] in regimes.repeated_sft
    ]
    found = (
        Point(noise, number, count_epochs(share, cfg), seed, steps)
        for noise, number, share, seed, steps in points
    )
    return {point.name: point for point in found}


def list_starts(cfg: Config) -> dict[str, Start]:
    """The SFT policies to be trained, by name."""
    starts = (point.start for point in list_points(cfg).values())
    return {start.name: start for start in starts if start.epochs}
