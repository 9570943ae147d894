"""GRPO run to its fixed point on a few states, where the theory says something that can be wrong.

At the small beta of a reproduction the limit of exact amplification is 1 for every chance from .5 on, so a policy
that got better proves little. At beta 3 and 10 it lies inside: .7 should become .859 and .746. States are expert states
of the training whose chance under the SFT policy is neither small nor near 1; every step of GRPO asks about all of
them, under their own names, and pays 1 for the expert's action. The chances before and after are the model's own
(:mod:`taskreason.theory.choice`).

The trainings share their weights over all states, so a state may miss its limit for the sake of others. Light: torch is
not needed.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines
from taskreason.theory.theorems import find_fixed_point, find_stationary

LOWEST, HIGHEST = 0.3, 0.95
"""Chances of the expert's action between which states are chosen."""
KEYS = ("prompt", "action")


def find_distance(chance: float) -> float:
    """How far a chance lies outside the range; 0 inside."""
    return max(0.0, LOWEST - chance, chance - HIGHEST)


def list_fixed(chosen: Path, trained: Sequence[tuple[float, Path]], group: int) -> pd.DataFrame:
    """One row a beta and state. chosen: the states before training; trained: the files of each beta; group: replies of
    one in a step.

    columns: beta; prompt; inside, whether the chance before lay in the range; p_ref and p, the chances before and
    after, with _low and _high, between which they lie for certain or, where thoughts were drawn, on average; limit, the
    fixed point of exact amplification; stationary, where the trainer's own loss stands still.
    """
    before = {
        row["prompt"]: row["p_ref"] for row in read_lines(chosen, (*KEYS, "p_ref"), str(chosen))
    }
    found = []
    for beta, path in trained:
        for row in read_lines(path, (*KEYS, "p"), str(path)):
            if row["prompt"] not in before:
                raise UserError(
                    f"{path}: a state is none of those in {chosen}; delete the file and run `snakemake {path}`."
                )
            known = {"beta": beta, "prompt": row["prompt"]}
            for name, bounds in (("p_ref", before[row["prompt"]]), ("p", row["p"])):
                ends = {f"{name}_{end}": bounds[end] for end in ("low", "high")}
                known |= {name: bounds["point"]} | ends
            p_ref = known["p_ref"]
            known["inside"] = not find_distance(p_ref)
            known["limit"] = float(find_fixed_point(p_ref, beta))
            known["stationary"] = find_stationary(p_ref, beta, group)
            found.append(known)
    return pd.DataFrame(found)


def find_drift(log: Path) -> float:
    """By how much the mean reward of the last quarter of a training's steps exceeds that of the quarter before."""
    rewards = pd.read_csv(log)["reward"]
    quarter = max(1, len(rewards) // 4)
    return float(rewards[-quarter:].mean() - rewards[-2 * quarter : -quarter].mean())
