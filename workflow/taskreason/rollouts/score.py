"""Scores: a policy's episodes on a panel, in one file that anyone can check by playing its actions again.

A score is a JSON object: which panel (by checksum), which policy and how it was asked, with what it was made, and its
episodes, each with every action. What counts is what the actions do, not what the file says: whoever reads a score
replays it. For example (shortened):

    {"panel": {"environment": "robotouille", "version": 1, "sha256": "2f…"}, "policy": {"name": "greedy"},
     "episodes": [{"split": "unseen", "task": "burger", "world": "0a1b…", "success": true, "steps": 8,
                   "actions": ["Move robot1 from table1 to table2", …]}, …]}
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_whole
from taskreason.environments.base import World
from taskreason.environments.renamed import RenamedWorld
from taskreason.policies import Policy, Turn
from taskreason.rollouts.episode import Start, rollout_to_files
from taskreason.rollouts.panel import Panel

KEYS = {"split": str, "task": str, "world": str, "success": bool, "steps": int, "actions": list}
"""What an episode of a score has, and of which type."""


@dataclass(frozen=True)
class Score:
    """A score as read and replayed. name: of the policy. about: the file without its episodes.

    episodes: one a row, with split, task, layout_hash, success, steps, optimal_steps and seed (0).
    """

    name: str
    about: Mapping[str, Any]
    episodes: pd.DataFrame

    @property
    def cells(self) -> set[tuple[str, str]]:
        """The kinds of worlds and tasks that were played."""
        return set(zip(self.episodes["split"], self.episodes["task"], strict=True))


class SeeingThrough:
    """A policy that reads worlds and not texts, such as a teacher, in worlds under other names."""

    def __init__(self, policy: Policy):
        self.name, self._policy = policy.name, policy

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        seen = [Turn(_uncover(turn.world), turn.state, turn.before) for turn in turns]
        replies = self._policy.act(seen)
        return [
            turn.world.rename(reply) if isinstance(turn.world, RenamedWorld) else reply
            for turn, reply in zip(turns, replies, strict=True)
        ]


def _uncover(world: World) -> World:
    return world.world if isinstance(world, RenamedWorld) else world


def play_split(
    policies: Mapping[str, Policy],
    panel: Panel,
    split: str,
    batch_size: int,
    seed: int,
    folder: Path,
) -> list[dict[str, Any]]:
    """The episodes of one kind of worlds, as a score has them; policies: by task.

    Tasks of one policy share batches, in the way in which an evaluation has them. What has been played lies in
    ``folder`` until a score is whole, so that one that was stopped goes on.
    """
    by_policy: dict[int, list[str]] = {}
    for task, policy in policies.items():
        by_policy.setdefault(id(policy), []).append(task)
    rows = []
    for tasks in by_policy.values():
        files = {folder / split / f"{task}.jsonl": panel.starts[split][task] for task in tasks}
        files = {path: starts for path, starts in files.items() if not path.exists()}
        rollout_to_files(policies[tasks[0]], files, panel.timeouts, batch_size, seed)
    for task in policies:
        lines = (folder / split / f"{task}.jsonl").read_text().splitlines()
        rows += [_shorten(split, task, decode(line)) for line in lines]
    return rows


def _shorten(split: str, task: str, episode: Mapping) -> dict[str, Any]:
    row = {"split": split, "task": task, "world": episode["layout_hash"]}
    return row | {key: episode[key] for key in ("success", "steps", "actions")}


def describe_panel(panel: Panel) -> dict[str, Any]:
    """What a score says of its panel."""
    name = panel.environment.name
    return {"environment": name, "version": panel.version, "sha256": panel.sha256}


def write_score(path: Path, about: Mapping[str, Any], episodes: Sequence[Mapping]) -> None:
    """Write a score, whole or not at all; compressed where the name ends in .gz."""
    lines = ",\n  ".join(json.dumps(row) for row in episodes)
    head = json.dumps(about, indent=1).removesuffix("\n}")
    data = f'{head},\n "episodes": [\n  {lines}\n ]\n}}\n'.encode()
    write_whole(path, [gzip.compress(data, mtime=0) if path.suffix == ".gz" else data])


def read_file(path: Path) -> dict[str, Any]:
    """A score as it stands, with nothing held against a panel; UserError for what is none."""
    try:
        data = path.read_bytes()
        value = decode(gzip.decompress(data) if path.suffix == ".gz" else data)
        wanted = value["panel"]["environment"], value["panel"]["sha256"], value["policy"]["name"]
        if all(isinstance(text, str) for text in wanted) and isinstance(value["episodes"], list):
            return value
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path}: is no score; give a file that `taskreason score` has written.")


def read_score(path: Path, panel: Panel) -> Score:
    """Read a score and play all its episodes again.

    UserError where it is of another panel, lacks an episode, or says what its actions do not do.
    """
    about = read_file(path)
    episodes, made_on = about.pop("episodes"), about["panel"]
    if made_on["sha256"] != panel.sha256:
        raise UserError(
            f"{path}: was played on another panel (version {made_on.get('version')}) than the one that is installed; "
            "play it again with `taskreason score`."
        )
    worlds = {
        (split, task, start.world.id): start
        for split, by_task in panel.starts.items()
        for task, starts in by_task.items()
        for start in starts
    }
    rows = [
        _replay(row, worlds, panel.timeouts, f"{path}: episode {number}")
        for number, row in enumerate(episodes, start=1)
    ]
    table = pd.DataFrame(rows)
    _check_whole(table, panel, path)
    return Score(about["policy"]["name"], about, table)


def _replay(row: Any, worlds: Mapping, timeouts: Mapping[str, int], place: str) -> dict[str, Any]:
    """An episode by what its actions do."""
    if not isinstance(row, dict) or any(
        type(row.get(key)) is not kind for key, kind in KEYS.items()
    ):
        raise UserError(f"{place} is none; play the policy again with `taskreason score`.")
    start: Start | None = worlds.get((row["split"], row["task"], row["world"]))
    if start is None:
        raise UserError(f"{place} is in a world that the panel does not have; play it again.")
    state, success = start.world.initial, False
    for action in row["actions"]:
        if success:
            raise UserError(f"{place} goes on after the goal; play it again.")
        after = start.world.step(state, action) if isinstance(action, str) else None
        state = state if after is None else after
        success = start.world.solved(state)
    steps, timeout = len(row["actions"]), timeouts[row["task"]]
    if (success, steps) != (row["success"], row["steps"]) or steps > timeout:
        raise UserError(
            f"{place} says {_tell(row['success'])} after {row['steps']} steps, but its actions come to "
            f"{_tell(success)} after {steps}; play it again."
        )
    if not success and steps < timeout:
        raise UserError(f"{place} fails before the timeout of {timeout} steps; play it again.")
    kept = {key: row[key] for key in ("split", "task", "success", "steps")}
    return kept | {"layout_hash": row["world"], "optimal_steps": start.optimal_steps, "seed": 0}


def _tell(success: bool) -> str:
    return "success" if success else "failure"


def _check_whole(table: pd.DataFrame, panel: Panel, path: Path) -> None:
    """Every world of each kind and task that was played stands there once."""
    if table.empty:
        raise UserError(f"{path}: holds no episode; play the policy with `taskreason score`.")
    for (split, task), part in table.groupby(["split", "task"], sort=False):
        wanted = len(panel.starts[split][task])
        found = part["layout_hash"].nunique()
        if len(part) != wanted or found != wanted:
            raise UserError(
                f"{path}: has {len(part)} episodes in {found} of the {wanted} worlds of {task} ({split}); each must be "
                "played once, so play the policy again with `taskreason score`."
            )
