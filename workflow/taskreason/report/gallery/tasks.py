"""The gallery's data of one task: every policy's episodes in the worlds that are shown.

Input: the run's folder; output: JSON values. Where not all worlds can be shown, those come first in which a policy
fails that was trained on the task, then those in which one fails that was trained on another. How many worlds a policy
solves is counted over all of them, so that the choice does not bias what the page says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines
from taskreason.durability.progress import follow
from taskreason.environments.base import Environment
from taskreason.report.gallery.records import PlainGallery, WorldRecord
from taskreason.report.labels import GRID_POLICY, POLICIES, is_untrained
from taskreason.rollouts.dataset import load_starts

EPISODE_KEYS = ("layout_hash", "success", "steps", "optimal_steps", "actions", "replies", "model")


@dataclass(frozen=True)
class Rollouts:
    """One policy's stored episodes on one task, by the id of the world."""

    policy: str
    train_task: str
    source: str
    episodes: Mapping[str, Mapping]

    @property
    def name(self) -> str:
        """What a link calls them: ``sft_grpo/burger``."""
        return f"{self.policy}/{self.train_task}"

    def fails(self, world: str) -> bool:
        return not self.episodes[world]["success"]

    def summarise(self) -> dict:
        """Counts over all worlds, and the model's name."""
        found = self.episodes.values()
        shortest = [e for e in found if e["success"] and e["steps"] == e["optimal_steps"]]
        return {
            "episodes": len(found),
            "solved": sum(e["success"] for e in found),
            "shortest": len(shortest),
            "model": next(iter(found))["model"],
        }


def collect_task(
    environment: Environment, root: Path, task: str, tasks: Sequence[str], limit: int
) -> dict:
    """What the page needs of one task: its goal, its policies and at most ``limit`` worlds with their episodes."""
    path = root / "worlds" / task / "eval.jsonl"
    worlds = [start.world for start in load_starts(task, path, environment)]
    ids = [world.id for world in worlds]
    trainings = {policy: ["-"] if is_untrained(policy) else [task] for policy in POLICIES}
    trainings[GRID_POLICY] = tasks
    rollouts = [
        read_rollouts(root, policy, train_task, task, ids)
        for policy, train_tasks in trainings.items()
        for train_task in train_tasks
    ]
    records = []
    chosen = choose_worlds(rollouts, task, ids, limit)
    for number in follow(chosen, task, len(chosen), environment.worlds):
        record = WorldRecord(environment, worlds[number], number + 1)
        for found in rollouts:
            record.add_episode(found.name, found.episodes[ids[number]], found.source)
        records.append(record.to_json())
    return {
        "goal": (environment.gallery or PlainGallery()).describe_goal(worlds[0]),
        "policies": {found.name: found.summarise() for found in rollouts},
        "worlds": records,
    }


def read_rollouts(
    root: Path, policy: str, train_task: str, task: str, ids: Sequence[str]
) -> Rollouts:
    """The episodes of a policy's first training on one task; refuses a file that lacks a world."""
    path = root / "episodes" / policy / train_task / f"{task}.jsonl"
    episodes = {row["layout_hash"]: row for row in read_lines(path, EPISODE_KEYS, str(path))}
    missing = [world for world in ids if world not in episodes]
    if missing:
        raise UserError(
            f"{path}: has no episode in world {missing[0]}; delete the file and run snakemake again"
        )
    return Rollouts(policy, train_task, str(path), {world: episodes[world] for world in ids})


def choose_worlds(
    rollouts: Sequence[Rollouts], task: str, ids: Sequence[str], limit: int
) -> list[int]:
    """Positions of the worlds that are shown, in order."""
    trained = [found for found in rollouts if not is_untrained(found.policy)]
    here = [found for found in trained if found.train_task == task]

    def rank(position: int) -> tuple[bool, bool, int]:
        failed_here, failed = (any(f.fails(ids[position]) for f in g) for g in (here, trained))
        return not failed_here, not failed, position

    return sorted(sorted(range(len(ids)), key=rank)[:limit])
