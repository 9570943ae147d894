"""The gallery's data of one task: every policy's episodes in the kitchens that are shown.

Input: results/SCALE; output: JSON values. Where not all kitchens can be shown, those come first in which a policy fails
that was trained on the task, then those in which one fails that was trained on another. How many kitchens a policy
solves is counted over all of them, so that the choice does not bias what the page says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines
from taskreason.durability.progress import follow
from taskreason.report.gallery.records import KitchenRecord
from taskreason.report.labels import POLICIES, is_untrained
from taskreason.report.results import list_episode_keys
from taskreason.rollouts.dataset import load_starts

EPISODE_KEYS = ("layout_hash", "success", "steps", "optimal_steps", "actions", "replies", "model")


@dataclass(frozen=True)
class Rollouts:
    """One policy's stored episodes on one task, by kitchen."""

    policy: str
    train_task: str
    source: str
    episodes: Mapping[str, Mapping]

    @property
    def name(self) -> str:
        """What a link calls them: ``sft_grpo/burger``."""
        return f"{self.policy}/{self.train_task}"

    def fails(self, layout_hash: str) -> bool:
        return not self.episodes[layout_hash]["success"]

    def summarise(self) -> dict:
        """Counts over all kitchens, and the model's name."""
        found = self.episodes.values()
        shortest = [e for e in found if e["success"] and e["steps"] == e["optimal_steps"]]
        return {
            "episodes": len(found),
            "solved": sum(e["success"] for e in found),
            "shortest": len(shortest),
            "model": next(iter(found))["model"],
        }


def collect_task(root: Path, task: str, tasks: Sequence[str], limit: int) -> dict:
    """What the page needs of one task: its recipe, its policies and at most ``limit`` kitchens with their episodes."""
    path = root / "kitchens" / task / "eval.jsonl"
    kitchens = [start.kitchen for start in load_starts(task, path)]
    hashes = [kitchen.layout.hash for kitchen in kitchens]
    rollouts = [
        read_rollouts(root, policy, train_task, task, hashes)
        for policy, train_task, eval_task in list_episode_keys(tasks, POLICIES)
        if eval_task == task
    ]
    records = []
    chosen = choose_kitchens(rollouts, task, hashes, limit)
    for number in follow(chosen, task, len(chosen), "kitchens"):
        record = KitchenRecord(kitchens[number], number + 1)
        for found in rollouts:
            record.add_episode(found.name, found.episodes[hashes[number]], found.source)
        records.append(record)
    return {
        "goal": kitchens[0].layout.goal_description,
        "recipe": records[0].describe_recipe(),
        "policies": {found.name: found.summarise() for found in rollouts},
        "kitchens": [record.to_json() for record in records],
    }


def read_rollouts(
    root: Path, policy: str, train_task: str, task: str, hashes: Sequence[str]
) -> Rollouts:
    """The episodes of a policy's first training on one task; refuses a file that lacks a kitchen."""
    path = root / "episodes" / policy / train_task / f"{task}.jsonl"
    episodes = {row["layout_hash"]: row for row in read_lines(path, EPISODE_KEYS, str(path))}
    missing = [layout_hash for layout_hash in hashes if layout_hash not in episodes]
    if missing:
        raise UserError(
            f"{path}: has no episode in kitchen {missing[0]}; delete the file and run snakemake again"
        )
    return Rollouts(policy, train_task, str(path), {key: episodes[key] for key in hashes})


def choose_kitchens(
    rollouts: Sequence[Rollouts], task: str, hashes: Sequence[str], limit: int
) -> list[int]:
    """Positions of the kitchens that are shown, in order."""
    trained = [found for found in rollouts if not is_untrained(found.policy)]
    here = [found for found in trained if found.train_task == task]

    def rank(position: int) -> tuple[bool, bool, int]:
        layout_hash = hashes[position]
        failed_here, failed = (
            any(f.fails(layout_hash) for f in group) for group in (here, trained)
        )
        return not failed_here, not failed, position

    return sorted(sorted(range(len(hashes)), key=rank)[:limit])
