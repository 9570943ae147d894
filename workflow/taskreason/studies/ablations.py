"""Trainings that differ from the reproduction's: ablations, and the points of a sweep.

A study of the ablations is one choice: a number of trajectories, an expert that errs in one way, how much of its
thoughts is learnt, another reward, or the kind of episode that GRPO rewards. Each is trained from the base model on, or
from an SFT policy that it shares with others, and judged in the evaluation worlds of one task. A sweep varies the
settings of SFT and GRPO one at a time and judges in validation worlds alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLAIN = "as_configured"
"""The reproduction's own SFT policy, of which no other is trained."""
UNCHANGED = "as configured"
"""The point of a sweep without a change, which is the training of the reproduction itself."""
PERFECT = {"policy": "planner", "noise": 0.0, "thought_noise": 0.0}
"""The expert without any error, from which each of those that err differs in one way."""
FAULTS = ("names", "missing", "foreign")
VALIDATIONS = 4
"""How often a comparison of single decisions with episodes is validated in ``grpo.steps`` steps."""


@dataclass(frozen=True)
class Study:
    """One training of GRPO, and of the SFT policy before it.

    start: name of the SFT policy, ``PLAIN`` for the reproduction's own; grpo: what changes in that part of the
    configuration; seed: of GRPO; tokens: to be sampled in all, 0 to take the configuration's steps instead.
    """

    name: str
    start: str
    grpo: Mapping[str, Any]
    seed: int
    tokens: int = 0


def list_experts(config: Mapping) -> dict[str, dict[str, Any]]:
    """Experts of which each errs in one way, the perfect one first: name -> the configuration's ``expert`` changed.

    ``names=0.3``, ``missing=0.3`` and ``foreign=0.3`` err in their thoughts, ``noise=0.2`` slips, ``policy=greedy``
    follows a rule of thumb and explains its own plan.
    """
    ablation, experts = config["ablation"], {"perfect": PERFECT}
    for fault in FAULTS:
        for rate in ablation[f"thought_{fault}"]:
            own = {"thought_noise": rate, "thought_fault": fault}
            experts[f"{fault}={rate:g}"] = PERFECT | own
    for noise in ablation["noise"]:
        own = {"noise": noise, "attempts": ablation["attempts"]}
        experts[f"noise={noise:g}"] = PERFECT | own
    return experts | {f"policy={name}": PERFECT | {"policy": name} for name in ablation["policies"]}


def list_starts(config: Mapping) -> dict[str, dict[str, Any]]:
    """The SFT policies to be trained: name -> what changes in the configuration's ``expert``."""
    ablation, own = config["ablation"], config["expert"]["trajectories"]
    numbers = dict.fromkeys([*ablation["trajectories"], ablation["turns_trajectories"]])
    starts = {f"trajectories={n}": {"trajectories": n} for n in numbers if n != own}
    own = config["expert"]["thoughts"]
    starts |= {f"thoughts={t}": {"thoughts": t} for t in ablation["thoughts"] if t != own}
    return starts | list_experts(config)


def list_studies(config: Mapping) -> dict[str, Study]:
    """All trainings of GRPO by name."""
    ablation, seed = config["ablation"], config["seeds"][0]
    names = [f"trajectories={number}" for number in ablation["trajectories"]]
    names += list_experts(config)
    names += [f"thoughts={thoughts}" for thoughts in ablation["thoughts"]]
    known = list_starts(config)
    studies = [Study(name, name, {}, seed) for name in names if name in known]
    for reward in ablation["reward"]:
        if reward != config["grpo"]["reward"]:
            studies.append(Study(f"reward={reward}", PLAIN, {"reward": reward}, seed))
    weak = f"trajectories={ablation['turns_trajectories']}"
    start = weak if weak in known else PLAIN
    every = max(1, config["grpo"]["steps"] // VALIDATIONS)
    for turns in ("single", "multi"):
        # Neither rehearses, so that all tokens are spent on the task.
        changes = {"turns": turns, "eval_steps": every, "rehearsal": 0}
        for number in ablation["turns_seeds"]:
            name = f"turns={turns}.seed{number}"
            studies.append(Study(name, start, changes, number, ablation["turns_tokens"]))
    return {study.name: study for study in studies}


def list_points(config: Mapping) -> dict[str, dict[str, dict[str, Any]]]:
    """The points of a sweep: name -> what changes, such as "grpo_beta=0.1" -> {"grpo": {"beta": 0.1}}."""
    points, grpo = {}, config["grpo"]
    for key, values in config["sweep"].items():
        stage, _, setting = key.partition("_")
        if stage not in ("sft", "grpo"):
            continue
        for value in values:
            changes = {setting: value}
            if setting == "group_size":  # the batch stays as it is
                changes["prompts_per_step"] = grpo["prompts_per_step"] * grpo["group_size"] // value
            name = f"{key}={value}" if isinstance(value, str) else f"{key}={value:g}"
            points[name] = {stage: changes}
    return points
