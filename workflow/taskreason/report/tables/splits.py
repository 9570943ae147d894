"""The tables that take success rates apart by the kind of world: by how worlds start, and in other kinds of worlds.

How a world starts is what its environment says (`describe_start`, kept in the file of worlds), whether its shortest
plan is within the bound on the expert's trajectories, and whether it is longer than the timeout, where nobody can
succeed. Worlds beyond the bound never enter training, so that they tell a skill that training did not bring from states
that it did not show. The other kinds of worlds are those of an environment's `splits`.
"""

from collections.abc import Mapping
from itertools import product

import pandas as pd

from taskreason.durability.files import list_runs, read_lines
from taskreason.environments.base import Environment
from taskreason.report.labels import TRAINED, is_untrained, label_policy
from taskreason.report.results import Results, check_coverage
from taskreason.report.tables.main import ORDER, POLICY, SR, TASK
from taskreason.report.tables.spec import COUNT, Column, Spec, Table, name
from taskreason.rollouts.metrics import read_episodes

START_COLUMNS = [
    *("task", "part", "kitchens", "policy", "episodes", "failures", "sr", "sr_low", "sr_high"),
]
SPLIT_COLUMNS = ["task", "policy", "split", "kitchens", "episodes", "sr", "sr_low", "sr_high"]
UNSEEN = "eval"
"""The split that every policy is evaluated on, whose worlds are like those of training."""
PARTS = {
    "within": "Within the bound",
    "beyond": "Beyond the bound",
    "too_long": "Beyond the timeout",
}


def make_specs(env: Environment) -> dict[str, list[Spec]]:
    """The tables by name, in the words of an environment."""
    titles = {UNSEEN: "As in training"} | {key: split.title for key, split in env.splits.items()}
    part = name("part", env.worlds.capitalize(), lambda key: PARTS.get(key, key.capitalize()))
    number = Column("kitchens", "Number", COUNT)
    across = name("policy", "", label_policy)
    worlds = Column("kitchens", env.worlds.capitalize(), COUNT, screen=True)
    return {
        "starts": [Spec([TASK, part, number], [SR], across)],
        "splits": [Spec([TASK, POLICY], [worlds, SR], name("split", "", titles.get))],
    }


def rank_policy(policy: str) -> int:
    """The place of a policy in print."""
    return ORDER.index(policy if policy in ORDER else "")


def divide_worlds(results: Results, task: str) -> dict[str, frozenset[str]]:
    """Ids of the evaluation worlds of each part: how they start, and how long their shortest plan is.

    A world is in one part of every kind; those beyond the timeout are beyond the bound, too.
    """
    worlds = results.worlds[task]
    optimal = worlds["optimal_steps"]
    found = {}
    if "start" in worlds:
        starts = worlds["start"].fillna("")
        found = {start: starts == start for start in sorted(set(starts) - {""})}
    beyond = optimal > results.cfg.bound_of(task)
    too_long = optimal > results.cfg.timeout_of(task)
    found |= {"within": ~beyond, "beyond": beyond, "too_long": too_long}
    return {part: frozenset(worlds.loc[chosen, "layout_hash"]) for part, chosen in found.items()}


def list_parts(results: Results, policy: str, task: str) -> dict[str, pd.DataFrame]:
    """A policy's episodes on its task, by the part of the evaluation worlds that they were played in."""
    episodes = results.episodes[results.key(policy, task)]
    return {
        part: episodes[episodes["layout_hash"].isin(ids)]
        for part, ids in divide_worlds(results, task).items()
    }


def make_starts(results: Results) -> Table:
    """One row a task, part of its worlds, and policy: worlds, episodes, failures and SR.

    Beyond the timeout there is no SR, since no policy can have another one than zero.
    """
    records = []
    rules = results.cfg.env.rule_policies
    shown = [policy for policy in results.policies if policy in TRAINED or policy in rules]
    for task, part in ((t, p) for t in results.tasks for p in divide_worlds(results, t)):
        for policy in sorted(shown, key=rank_policy):
            episodes = list_parts(results, policy, task)[part]
            counts = {
                "kitchens": episodes["layout_hash"].nunique(),
                "episodes": len(episodes),
                "failures": (~episodes["success"]).sum(),
            }
            judged = len(episodes) and part != "too_long"
            rate = _find_rate(results, episodes, task) if judged else {}
            records.append({"task": task, "part": part, "policy": policy} | counts | rate)
    csv = pd.DataFrame(records, columns=START_COLUMNS)
    return Table(csv, make_specs(results.cfg.env)["starts"])


def make_splits(results: Results) -> Table:
    """One row a task, policy and kind of worlds, those like training's first: worlds, episodes and SR."""
    records = []
    policies = sorted(results.cfg.report.split_policies, key=rank_policy)
    for task, policy in product(results.tasks, policies):
        parts = _read_splits(results, policy, task)
        if results.cell(policy, task):
            parts = {UNSEEN: results.episodes[results.key(policy, task)]} | parts
        for split, episodes in parts.items():
            counts = {"kitchens": episodes["layout_hash"].nunique(), "episodes": len(episodes)}
            rate = _find_rate(results, episodes, task)
            records.append({"task": task, "policy": policy, "split": split} | counts | rate)
    csv = pd.DataFrame(records, columns=SPLIT_COLUMNS)
    return Table(csv, make_specs(results.cfg.env)["splits"])


def _read_splits(results: Results, policy: str, task: str) -> Mapping[str, pd.DataFrame]:
    """The episodes of all trainings of a policy on its task, by the split whose file has their worlds."""
    worlds = {}
    for split in results.cfg.env.splits:
        path = results.root / "worlds" / task / f"{split}.jsonl"
        worlds[split] = pd.DataFrame(read_lines(path, ["layout_hash"], str(path)))
    if not worlds:
        return {}
    parts = []
    for run in [""] if is_untrained(policy) else list_runs(results.cfg.seeds):
        path = results.root / "splits" / policy / f"{task}{run}.jsonl"
        episodes = read_episodes(path)
        check_coverage(episodes, pd.concat(worlds.values()), path)
        parts.append(episodes)
    played = pd.concat(parts, ignore_index=True)
    return {
        split: played[played["layout_hash"].isin(drawn["layout_hash"])]
        for split, drawn in worlds.items()
    }


def _find_rate(results: Results, episodes: pd.DataFrame, task: str) -> dict[str, float]:
    """The success rate of some episodes with its interval, as columns."""
    rate = results.summarise(episodes, task, str(results.root)).rate
    return dict(zip(("sr", "sr_low", "sr_high"), rate, strict=True))
