"""The states on which GRPO is run to its fixed point: chosen by their chances before, and measured after.

Input: a model as a :class:`taskreason.theory.measure.Reader` and the decisions of a task; output: decisions as JSON
Lines, as training reads them, each with what is known of the chance that a reply names the expert's action
(:class:`taskreason.theory.posterior.Bounds`), as ``p_ref`` before and as ``p`` after. What is made of them is in
:mod:`taskreason.theory.fixed_point`.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from taskreason.config.models import Config
from taskreason.durability.files import write_lines
from taskreason.durability.progress import say
from taskreason.environments.base import Decision
from taskreason.rollouts.dataset import load_decisions
from taskreason.theory.chances import find_chances
from taskreason.theory.fixed_point import find_distance
from taskreason.theory.measure import Reader
from taskreason.theory.posterior import find_bounds

AT_ONCE = 64
"""States that are asked about together."""
MOST_ASKED = 640
"""States that are asked about at most, in search of those in the range."""
PRIOR_STEPS = 1
"""A state stands for itself here, so the prior of its chance is uniform."""


def choose_states(reader: Reader, trajectories: Path, cfg: Config, output: Path) -> None:
    """Write the decisions to train on: those of the trajectories, each with ``p_ref``, what is known of its chance.

    Where too few lie in the range, those nearest to it make up the number.
    """
    decisions = load_decisions(trajectories, cfg.expert.is_exact)
    unique = list({decision.prompt: decision for decision in decisions}.values())
    asked = random.Random(f"fixed point {cfg.seed}").sample(unique, min(MOST_ASKED, len(unique)))
    rows: list[dict[str, Any]] = []
    for first in range(0, len(asked), AT_ONCE):
        rows += ask(reader, asked[first : first + AT_ONCE], cfg, "p_ref")
        inside = [row for row in rows if not find_distance(row["p_ref"]["point"])]
        say(
            f"{output.stem}: {len(inside)} of {cfg.theory.states} states in range, {len(rows)} asked"
        )
        if len(inside) >= cfg.theory.states:
            break
    rows.sort(key=lambda row: find_distance(row["p_ref"]["point"]))
    write_lines(output, rows[: cfg.theory.states])


def measure_states(reader: Reader, states: Path, cfg: Config, output: Path) -> None:
    """Write the chosen decisions with ``p``, what is known of their chance after training, beside ``p_ref``."""
    decisions = load_decisions(states, cfg.expert.is_exact)
    write_lines(output, ask(reader, decisions, cfg, "p"))


def ask(
    reader: Reader, decisions: Sequence[Decision], cfg: Config, key: str
) -> list[dict[str, Any]]:
    """The decisions as plain values, with the bounds on the chance of the expert's action."""
    torch.manual_seed(cfg.seed)
    writer = reader.read([decision.prompt for decision in decisions])
    wanted = [[decision.action] for decision in decisions]
    rng = np.random.default_rng(cfg.seed)
    found = find_chances(writer, wanted, reader.decode, cfg.theory, rng)
    return [
        asdict(decision)
        | {key: asdict(find_bounds(chances.describe(), [decision.action], PRIOR_STEPS))}
        for decision, chances in zip(decisions, found, strict=True)
    ]
