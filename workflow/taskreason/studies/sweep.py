"""Sweeps: the settings of SFT and GRPO varied one at a time, judged in the validation worlds alone.

A point is a training with one changed setting; its name says which, ``grpo_beta=0.1``. The point without a change,
``as configured``, is the training of the reproduction itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

UNCHANGED = "as configured"


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
        stage, _, setting = key.partition("_")
        if stage not in ("sft", "grpo"):
            continue
        for value in values:
            changes = {setting: value}
            if setting == "group_size":  # the batch stays as it is
                grpo = config["grpo"]
                changes["prompts_per_step"] = grpo["prompts_per_step"] * grpo["group_size"] // value
            name = f"{key}={value}" if isinstance(value, str) else f"{key}={value:g}"
            points.append(Point(name, {stage: changes}))
    return points


def apply_point(config: Mapping, name: str) -> dict:
    """The configuration with a point's change."""
    changes = next(point.changes for point in list_points(config) if point.name == name)
    return dict(config) | {stage: config[stage] | dict(part) for stage, part in changes.items()}
