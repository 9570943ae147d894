"""Sweeps: the knobs of SFT and GRPO varied one at a time, judged in the validation kitchens alone.

A point is a training with one changed knob; its name says which, ``grpo_beta=0.1``. The point without a change,
``as configured``, is the training of the reproduction itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import fmean

import pandas as pd

from taskreason.report.render.latex import MISSING, escape, format_rate, make_row, make_tabular
from taskreason.report.tables.cells import Table
from taskreason.report.training_logs import VALIDATION_COLUMNS, read_training_log

UNCHANGED = "as configured"
LAST_STEPS = 5
"""Steps over which the reward at the end of a training is averaged."""


@dataclass(frozen=True)
class Point:
    """One training of a sweep. changes: what to merge into the configuration, {"grpo": {"beta": 0.1}}."""

    name: str
    changes: Mapping[str, Mapping]

    @property
    def trains_sft(self) -> bool:
        """Whether the point needs an SFT policy of its own."""
        return "sft" in self.changes


def list_points(config: Mapping) -> list[Point]:
    """The points that a resolved configuration asks for, in its order."""
    points = []
    for key, values in config["sweep"].items():
        stage, _, knob = key.partition("_")
        if stage not in ("sft", "grpo"):
            continue
        for value in values:
            changes = {knob: value}
            if knob == "group_size":  # the batch stays as it is
                grpo = config["grpo"]
                changes["prompts_per_step"] = grpo["prompts_per_step"] * grpo["group_size"] // value
            name = f"{key}={value}" if isinstance(value, str) else f"{key}={value:g}"
            points.append(Point(name, {stage: changes}))
    return points


def apply_point(config: Mapping, name: str) -> dict:
    """The configuration with a point's change."""
    changes = next(point.changes for point in list_points(config) if point.name == name)
    return dict(config) | {stage: config[stage] | dict(part) for stage, part in changes.items()}


def tabulate(trainings: Mapping[str, tuple[Path, Path]]) -> Table:
    """The sweep's table.

    trainings: point -> (GRPO's validation log, GRPO's training log). Rates are shares of the validation kitchens or
    of states; before is the SFT policy, after is the last step of GRPO.
    """
    records = []
    for name, (validation, curve) in trainings.items():
        looks = read_training_log(validation, VALIDATION_COLUMNS)
        log = read_training_log(curve, ["reward", "kl", "zero_std_share", "seconds"])
        first, last, end = looks.iloc[0], looks.iloc[-1], log.tail(LAST_STEPS)
        records.append(
            {
                "point": name,
                "sr_before": first["sr"],
                "sr_after": last["sr"],
                "training_states": last["training_states"],
                "unseen_states": last["unseen_states"],
                "reward": fmean(end["reward"]),
                "kl": fmean(end["kl"]),
                "zero_std_share": fmean(end["zero_std_share"]),
                "seconds": log["seconds"].iloc[-1],
            }
        )
    frame = pd.DataFrame(records)
    head = make_row(
        "Changed",
        r"\multicolumn{2}{c}{SR before, after}",
        r"\multicolumn{2}{c}{States: training, unseen}",
        "Reward",
        "KL",
        "No spread",
    )
    rows = [head, r"\midrule"]
    shown = [column for column in frame if column not in ("point", "seconds")]
    for record in records:
        cells = {key: format_rate(record[key]) for key in shown}
        # Without beta there is no reference policy, and no KL from it.
        cells["kl"] = MISSING if isnan(record["kl"]) else f"{record['kl']:.4f}"
        rows.append(make_row(escape(record["point"]), *cells.values()))
    return Table(frame, make_tabular("l" + "r" * 7, rows))
