"""A panel: fixed sets of unseen worlds that come with an environment, by version, on which anyone scores a policy.

A panel is a folder ``data/panel/vN``: panel.json with the version, the tasks' timeouts and the checksum of every file,
and for each kind of worlds a file of gzipped JSON lines. A line has the task, the world as the environment writes it
down, a shortest plan, and a trace, the hash of all that is seen along the plan and along a fixed random walk. Whoever
loads a panel replays all traces: scores are comparable only where worlds, rules and texts are the same.

Worlds of the kind ``RENAMED`` are those of ``UNSEEN`` under other names.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json, write_whole
from taskreason.environments.base import Environment, World, list_plan
from taskreason.environments.renamed import RenamedWorld
from taskreason.rollouts.episode import Start

VERSION = 1
UNSEEN, RENAMED = "unseen", "renamed"
INDEX = "panel.json"
WALK = 10
"""Steps of the random walk in a trace."""
FIX = "install the version of this project that the panel came with, or restore its files"


@dataclass(frozen=True)
class Panel:
    """A panel as loaded. starts: by kind of worlds, then by task. timeouts: by task. sha256: of panel.json."""

    environment: Environment
    version: int
    sha256: str
    timeouts: Mapping[str, int]
    starts: Mapping[str, Mapping[str, Sequence[Start]]]


def find_folder(environment: Environment, version: int = VERSION) -> Path:
    """Where a panel lies; UserError where the environment has none."""
    folder = environment.data and environment.data / "panel" / f"v{version}"
    if not folder or not folder.is_dir():
        raise UserError(
            f"{environment.name} has no panel of worlds to be scored on; take robotouille."
        )
    return folder


def load_panel(environment: Environment, folder: Path | None = None) -> Panel:
    """Read a panel, and hold every world against its trace; UserError for what is not as it was made."""
    folder = folder or find_folder(environment)
    raw = _read(folder / INDEX)
    index = decode(raw)
    starts = {}
    for name, checksum in index["files"].items():
        data = _read(folder / name)
        if hashlib.sha256(data).hexdigest() != checksum:
            raise UserError(
                f"{folder / name}: is not the panel's file, its checksum is another; {FIX}."
            )
        starts[name.partition(".")[0]] = (folder / name, gzip.decompress(data).splitlines())
    known: dict[str, World] = {}
    loaded: dict[str, dict[str, list[Start]]] = {split: {} for split in starts}
    for split, (path, lines) in starts.items():
        for number, line in enumerate(lines, start=1):
            row, place = decode(line), f"{path}:{number}"
            world = _load_world(row, known, environment, place)
            known[world.id] = world
            if trace_world(world, row["plan"]) != row["trace"]:
                raise UserError(
                    f"{place}: this world no longer goes as when the panel was made, so the environment's rules or "
                    f"texts have changed; {FIX}."
                )
            start = Start(world, row["task"], len(row["plan"]))
            loaded[split].setdefault(row["task"], []).append(start)
    digest = hashlib.sha256(raw).hexdigest()
    return Panel(environment, index["version"], digest, index["timeouts"], loaded)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error}); {FIX}.") from None


def _load_world(row: Mapping, known: Mapping[str, World], env: Environment, place: str) -> World:
    if "of" in row:
        world: World = RenamedWorld(known[row["of"]], row["renaming"], env)
    else:
        world = env.load(row, place)
    if world.id != row["world"]:
        raise UserError(f"{place}: what is described is not what the id is of; {FIX}.")
    return world


def trace_world(world: World, plan: Sequence[str]) -> str:
    """16 hex digits of what is seen along a plan, up to the goal, and along a random walk that the id draws.

    Empty where the plan does not reach the goal, or reaches it early.
    """
    state, told = world.initial, []
    for action in plan:
        told.append(world.observe(state))
        after = world.step(state, action)
        if after is None or world.solved(state):
            return ""
        state = after
    if not world.solved(state):
        return ""
    told.append(world.observe(state))
    state, rng = world.initial, random.Random(world.id)
    for _ in range(WALK):
        state = world.step(state, rng.choice(world.actions(state)))
        told.append(world.observe(state))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def write_panel(
    folder: Path, environment: Environment, worlds: Mapping[str, Mapping[str, Sequence[World]]]
) -> None:
    """Write a panel of these worlds, by kind and task, and of those of ``UNSEEN`` under other names."""
    rows = {
        split: [
            _describe(task, world, environment) for task, part in by_task.items() for world in part
        ]
        for split, by_task in worlds.items()
    }
    rows[RENAMED] = [
        _describe_renamed(task, world, environment)
        for task, part in worlds[UNSEEN].items()
        for world in part
    ]
    files = {}
    for split, lines in rows.items():
        name, data = f"{split}.jsonl.gz", _compress(lines)
        write_whole(folder / name, [data])
        files[name] = hashlib.sha256(data).hexdigest()
    timeouts = {task: environment.tasks[task].timeout for task in worlds[UNSEEN]}
    index = {"version": VERSION, "environment": environment.name, "timeouts": timeouts}
    write_json(folder / INDEX, index | {"files": files})


def _describe(task: str, world: World, environment: Environment) -> dict[str, Any]:
    plan = _list_actions(world, environment)
    row = {"task": task, "world": world.id, **environment.dump(world), "plan": plan}
    return row | {"trace": trace_world(world, plan)}


def _describe_renamed(task: str, world: World, environment: Environment) -> dict[str, Any]:
    text, rng = world.observe(world.initial), random.Random(f"renamed {world.id}")
    renaming = environment.draw_renaming(text, rng)
    other = RenamedWorld(world, renaming, environment)
    plan = [other.rename(action) for action in _list_actions(world, environment)]
    row = {"task": task, "world": other.id, "of": world.id, "renaming": renaming, "plan": plan}
    return row | {"trace": trace_world(other, plan)}


def _list_actions(world: World, environment: Environment) -> list[str]:
    return [action for _, action in list_plan(world, environment.teacher(world))]


def _compress(rows: Sequence[Mapping]) -> bytes:
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    return gzip.compress(text.encode(), mtime=0)
