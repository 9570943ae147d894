"""The table of the map of regimes: a row for each cell, in which the seeds of GRPO and of its control are pooled.

Input: episodes and logs that `snakemake regimes` left. The gain, the study's primary measure, is that in SR of SFT +
GRPO over SFT on as many replies from the same start, paired by world and seed.
"""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import label_policy
from taskreason.report.tables.spec import COUNT, RATE, SIGNED, Column, Spec, Table, name, spread
from taskreason.report.trainings import read_training_log
from taskreason.rollouts.metrics import paired_gain, pool_episodes, read_episodes, summarise
from taskreason.studies.regimes import Point, Start, list_points

FIRST_STEPS = 5
"""Steps of GRPO over which the share of groups with spread is averaged."""
SPECS = {
    "regimes": [
        Spec(
            [
                name("thought_noise", "Thought noise"),
                name("trajectories", "Trajectories"),
                name("epochs", "Epochs of SFT"),
                name("steps", "Steps of GRPO"),
            ],
            [
                Column("seeds", "Seeds", COUNT),
                Column("start", "Start"),
                Column("sft_longer", label_policy("sft_longer")),
                Column("sft_grpo", label_policy("sft_grpo")),
                Column("gain", "Gain over longer SFT", SIGNED),
                Column("spread", "Groups with spread", RATE),
            ],
        )
    ]
}


def make_regimes(folder: Path, cfg: Config) -> Table:
    """One row a cell; folder: of the mapped task, with ``base``, ``sft``, ``longer`` and ``grpo``.

    spread: the share of groups whose rewards differ, over GRPO's first steps, those of rehearsed prompts among them.
    """
    by_cell = sorted(list_points(cfg).values(), key=lambda point: (point.cell, point.seed))
    rows = [
        _make_row(folder, list(points), cfg)
        for _, points in groupby(by_cell, key=lambda point: point.cell)
    ]
    return Table(pd.DataFrame(rows), SPECS["regimes"])


def _make_row(folder: Path, points: list[Point], cfg: Config) -> dict[str, float]:
    level, (noise, trajectories, epochs, steps) = cfg.report.confidence, points[0].cell
    starts = [point.start for point in points] if epochs else []
    pooled = {
        "start": _pool(folder / "sft", starts) if epochs else read_episodes(_find_base(folder)),
        "sft_longer": _pool(folder / "longer", points),
        "sft_grpo": _pool(folder / "grpo", points),
    }
    timeout = cfg.timeout_of(cfg.regimes.task)
    rates = {policy: summarise(rows, timeout, level).rate for policy, rows in pooled.items()}
    gain = paired_gain(pooled["sft_grpo"], pooled["sft_longer"], level)
    return {
        "thought_noise": noise,
        "trajectories": trajectories,
        "epochs": epochs,
        "steps": steps,
        "seeds": len(points),
        "episodes": len(pooled["sft_grpo"]),
        **spread(rates | {"gain": gain}),
        "spread": sum(_read_spread(folder, point) for point in points) / len(points),
    }


def _pool(folder: Path, trained: Iterable[Start]) -> pd.DataFrame:
    """The episodes of several trainings, told apart by their seeds."""
    return pool_episodes((made.seed, folder / made.name / "episodes.jsonl") for made in trained)


def _find_base(folder: Path) -> Path:
    return folder / "base" / "episodes.jsonl"


def _read_spread(folder: Path, point: Point) -> float:
    """The share of groups with spread over the first steps of a training."""
    log = read_training_log(folder / "grpo" / point.name / "log.csv", ["zero_std_share"])
    return 1 - log["zero_std_share"].head(FIRST_STEPS).mean()
