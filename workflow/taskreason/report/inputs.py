"""What each table and figure is made from, so that each is a target with its own inputs and no others.

    list_inputs("tables", "generalization", cfg, root)    # the SFT+GRPO policies' episodes and the evaluation worlds

Light: the workflow asks this module while it builds its graph. Published numbers are files of the environment.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskreason.config.models import Config
from taskreason.durability.files import list_runs
from taskreason.report.labels import (
    GREEDY,
    GRID_POLICY,
    MAIN_POLICIES,
    POLICIES,
    TRAINED,
    is_untrained,
    list_policies,
    list_temperatures,
)

Key = tuple[str, str, str]
"""Policy, training task ("-" for a policy that is not trained), evaluation task."""


@dataclass(frozen=True)
class Needs:
    """own: policies, each on the tasks that it was trained on, as far as the run has them; None for all of the run.

    across: the fully trained policy of every task on every task; single_turn: counts of single replies, too;
    sampled: episodes with sampled replies, too, at rollout.temperature ("shared") or at all of a policy's own ("all");
    rules: the run's rules of thumb, too; splits: the policies that play further kinds of worlds, in these as well;
    published: the paper's numbers; kept: the reference of the pretrained scale; files: others below results/SCALE, once
    a {task} and training {run}.
    """

    own: Sequence[str] | None = ()
    across: bool = False
    single_turn: bool = False
    sampled: Literal["", "shared", "all"] = ""
    rules: bool = False
    splits: bool = False
    published: bool = False
    kept: bool = False
    files: Sequence[str] = ()


PRETRAINED = "pretrained"
"""The scale that takes too long to be run for every page."""
GRIDS = ["generalization_sr", "generalization_asat", "generalization_asst"]
NEEDS: dict[str, dict[str, Needs]] = {
    "tables": {
        "main": Needs(MAIN_POLICIES, single_turn=True, sampled="shared"),
        **dict.fromkeys(["generalization", *GRIDS], Needs(across=True)),
        "comparison": Needs(POLICIES, across=True, published=True),
        "published_tests": Needs(published=True),
        "baselines": Needs(None),
        "gains": Needs(None, sampled="shared"),
        "sharpening": Needs(("sft", GRID_POLICY), sampled="all"),
        "starts": Needs(TRAINED, rules=True),
        "splits": Needs(splits=True),
        "probes": Needs(files=["probes/base.json"]),
        "collection": Needs(files=["trajectories/{task}.summary.json"]),
        "seeds": Needs(TRAINED, across=True),
        **dict.fromkeys(["pretrained", "pretrained_gains"], Needs(kept=True)),
    },
    "figures": {
        "learning_sft": Needs(files=["training/{task}{run}/sft.csv"]),
        "learning_grpo": Needs(files=["training/{task}{run}/grpo.csv"]),
        "learning_validation": Needs(files=["training/{task}{run}/grpo_validation.csv"]),
        "success_rate": Needs(MAIN_POLICIES, published=True),
        **dict.fromkeys(GRIDS, Needs(across=True, published=True)),
        "steps_vs_optimal": Needs(POLICIES),
        "kitchen": Needs([GRID_POLICY]),
    },
    "macros": {
        "macros": Needs(
            None,
            across=True,
            single_turn=True,
            sampled="shared",
            published=True,
            kept=True,
            files=[
                *("models/base/model.safetensors", "models/base/config.json"),
                *("trajectories/{task}.summary.json", "training/{task}{run}/grpo.csv"),
                *(f"training/{{task}}{{run}}/{stage}.provenance.json" for stage in ("sft", "grpo")),
            ],
        )
    },
}


def list_tables(cfg: Config) -> list[str]:
    """Names of all tables of a run."""
    shared = [name for name, needs in NEEDS["tables"].items() if find_kept(cfg) or not needs.kept]
    return [*(f"main_{task}" for task in cfg.tasks), *shared]


def find_needs(kind: str, name: str, cfg: Config) -> tuple[Needs, Sequence[str]]:
    """What a table or figure is made from, and of which tasks; KeyError where there is none of that name."""
    if kind == "tables" and name.startswith("main_") and name.removeprefix("main_") in cfg.tasks:
        return NEEDS[kind]["main"], [name.removeprefix("main_")]
    return NEEDS[kind][name], [cfg.report.drawn_task] if name == "kitchen" else cfg.tasks


def list_keys(needs: Needs, cfg: Config, tasks: Sequence[str]) -> list[Key]:
    """The cells that are needed: policies with the task that they were trained and the one they are evaluated on."""
    keys: list[Key] = []
    own = cfg.report.split_policies if needs.splits else needs.own
    also = cfg.env.rule_policies if needs.rules else ()
    for policy in list_policies(cfg):
        for task in tasks:
            if own is None or policy in own or policy in also:
                keys.append((policy, "-" if is_untrained(policy) else task, task))
            if needs.across and policy == GRID_POLICY:
                keys += [(policy, train_task, task) for train_task in tasks]
    return list(dict.fromkeys(keys))


def list_sampled(needs: Needs, cfg: Config, tasks: Sequence[str]) -> dict[float, list[Key]]:
    """The cells that are needed of episodes with sampled replies, by temperature."""
    found: dict[float, list[Key]] = {}
    if not needs.sampled:
        return found
    for policy, train_task, task in list_keys(needs, cfg, tasks):
        for temperature in list_temperatures(policy, cfg) if train_task in ("-", task) else ():
            if needs.sampled == "all" or temperature == cfg.rollout.temperature:
                found.setdefault(temperature, []).append((policy, train_task, task))
    return found


def name_episodes(policy: str, trained: str, task: str, temperature: float = GREEDY) -> str:
    """A file of episodes below results/SCALE; trained: the training task with its run, or "-"."""
    kind, degree = ("episodes_sampled", f"T{temperature:g}/") if temperature else ("episodes", "")
    return f"{kind}/{policy}/{trained}/{degree}{task}.jsonl"


def list_inputs(kind: str, name: str, cfg: Config, root: Path) -> list[str]:
    """Every file that a table, a figure or the paper's numbers ("macros") are made from; root: results/SCALE."""
    needs, tasks = find_needs(kind, name, cfg)
    keys, runs = list_keys(needs, cfg, tasks), list_runs(cfg.seeds)
    files = [f"worlds/{task}/eval.jsonl" for task in dict.fromkeys(key[2] for key in keys)]
    for policy, train_task, task in keys:
        for run in [""] if train_task == "-" else runs:
            files.append(name_episodes(policy, f"{train_task}{run}", task))
            if needs.single_turn and train_task in ("-", task):
                files.append(f"single_turn/{policy}/{train_task}{run}/{task}.json")
    for temperature, part in list_sampled(needs, cfg, tasks).items():
        for policy, train_task, task in part:
            for run in [""] if train_task == "-" else runs:
                files.append(name_episodes(policy, f"{train_task}{run}", task, temperature))
    files += [
        file.format(task=task, run=run) for file in needs.files for task in tasks for run in runs
    ]
    if needs.splits:
        files += list_split_files(cfg, tasks)
    found = [str(root / file) for file in dict.fromkeys(files)]
    if needs.published and cfg.env.data:
        found += map(os.path.relpath, sorted((cfg.env.data / "published").glob("*.csv")))
    if needs.kept and (folder := find_kept(cfg)):
        found += map(os.path.relpath, sorted(folder.glob("*.*")))
    return found


def find_kept(cfg: Config) -> Path | None:
    """The reference of the pretrained scale, for runs of other scales; None where the environment has none."""
    folder = cfg.env.data / "reference" / PRETRAINED if cfg.env.data else None
    return folder if folder and folder.is_dir() and cfg.scale != PRETRAINED else None


def list_split_files(cfg: Config, tasks: Sequence[str]) -> list[str]:
    """Worlds of further kinds, and the episodes in them, below results/SCALE."""
    files = [f"worlds/{task}/{split}.jsonl" for task in tasks for split in cfg.env.splits]
    for policy in cfg.report.split_policies:
        trainings = [""] if is_untrained(policy) else list_runs(cfg.seeds)
        files += [f"splits/{policy}/{task}{run}.jsonl" for task in tasks for run in trainings]
    return files
