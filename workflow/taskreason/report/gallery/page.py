"""The page of the episode gallery: what every episode went through, as plain values that its programs draw.

Input: the run's folder; output: an HTML file. The world replays the stored actions, and the teacher says of every state
which actions begin a shortest plan and how many steps that has, so the page needs neither. It opens from disk and asks
no other file for anything: style, programs and each task's data (compressed JSON) stand in it.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines
from taskreason.durability.progress import follow
from taskreason.environments.base import Environment, SearchError, State, World
from taskreason.environments.gallery import Gallery
from taskreason.environments.reply import format_reply, read_thought
from taskreason.report.labels import GRID_POLICY, POLICIES, is_untrained, label_policy, task_title
from taskreason.rollouts.dataset import load_starts

SOURCES = Path(__file__).with_name("templates")
EPISODE_KEYS = ("layout_hash", "success", "steps", "optimal_steps", "actions", "replies", "model")


def write_gallery(cfg: Config, root: Path, output: Path) -> None:
    """Write the page on the results in ``root``; equal results give equal bytes."""
    gallery, worlds = choose_gallery(cfg.env), cfg.env.worlds
    tasks = {t: {"title": task_title(t), "timeout": cfg.timeout_of(t)} for t in cfg.tasks}
    policies = {policy: label_policy(policy) for policy in POLICIES}
    about = {"scale": cfg.scale, "world": worlds.removesuffix("s"), "worlds": worlds}
    about |= {"tasks": tasks, "policies": policies}
    styles = [SOURCES / "style.css", *([gallery.style] if gallery.style else [])]
    programs = [SOURCES / "episodes.js", *gallery.programs, SOURCES / "page.js"]
    blobs = []
    for task in cfg.tasks:
        text = json.dumps(collect_task(cfg, root, task), separators=(",", ":"))
        # A date in the header would make every build differ.
        packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        blobs.append(f'<script type="application/gzip" id="data-{task}">{packed}</script>')
    page = Template((SOURCES / "page.html").read_text("utf-8")).substitute(
        about,
        style="\n".join(path.read_text("utf-8") for path in styles),
        program="\n".join(path.read_text("utf-8") for path in programs),
        # Inside a script, only "</" could end it.
        about=json.dumps(about | gallery.about()).replace("</", "<\\/"),
        data="\n".join(blobs),
    )
    output.write_text(page, encoding="utf-8")


class PlainGallery(Gallery):
    """States as the text that a model reads, for environments without a gallery of their own."""

    programs, style = (SOURCES / "plain.js",), None

    def about(self, *_: World) -> dict[str, Any]:
        return {}

    describe_world = describe_goal = about

    def describe_state(self, world: World, state: State) -> dict[str, Any]:
        return {"text": world.observe(state)}


def choose_gallery(environment: Environment) -> Gallery:
    """How states are drawn: the environment's own way, or the plain one."""
    return environment.gallery or PlainGallery()


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

    def summarise(self) -> dict:
        """Counts over all worlds, and the model's name."""
        won = [episode for episode in self.episodes.values() if episode["success"]]
        return {
            "episodes": len(self.episodes),
            "solved": len(won),
            "shortest": sum(episode["steps"] == episode["optimal_steps"] for episode in won),
            "model": next(iter(self.episodes.values()))["model"],
        }


def collect_task(cfg: Config, root: Path, task: str) -> dict:
    """What the page needs of one task: its goal, its policies and at most ``report.gallery`` worlds with episodes.

    Worlds in which an episode comes to states that take long to plan from are left out.
    """
    path = root / "worlds" / task / "eval.jsonl"
    worlds = [start.world for start in load_starts(task, path, cfg.env)]
    ids = [world.id for world in worlds]
    trainings = {policy: ["-"] if is_untrained(policy) else [task] for policy in POLICIES}
    trainings[GRID_POLICY] = cfg.tasks
    rollouts = [
        read_rollouts(root, policy, train_task, task, ids)
        for policy, train_tasks in trainings.items()
        for train_task in train_tasks
    ]
    ranked, records = rank_worlds(rollouts, task, ids), []
    for number in follow(ranked, task, len(ids), cfg.env.worlds):
        if len(records) == cfg.report.gallery:
            break
        record = WorldRecord(cfg.env, worlds[number], number + 1)
        try:
            for found in rollouts:
                record.add_episode(found.name, found.episodes[ids[number]], found.source)
        except SearchError:
            continue  # an episode strays so far that what is left to do would take minutes to find
        records.append(record.to_json())
    records.sort(key=lambda record: record["number"])
    return {
        "goal": choose_gallery(cfg.env).describe_goal(worlds[0]),
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


def rank_worlds(rollouts: Sequence[Rollouts], task: str, ids: Sequence[str]) -> list[int]:
    """Positions of the worlds in the order in which they are taken, as many as are shown.

    Those come first in which a policy fails that was trained on the task, then those in which one fails that was
    trained on another. How many worlds a policy solves is counted over all, so the choice does not bias what is said.
    """
    trained = [found for found in rollouts if not is_untrained(found.policy)]
    here = [found for found in trained if found.train_task == task]

    def rank(position: int) -> tuple[bool, ...]:
        won = ([f.episodes[ids[position]]["success"] for f in group] for group in (here, trained))
        return tuple(map(all, won))

    return sorted(range(len(ids)), key=rank)


class Index(dict):
    """Numbers of things in the order in which they were first asked for."""

    def __missing__(self, key):
        self[key] = len(self)
        return self[key]


class WorldRecord:
    """One world, and what its episodes add to it: every state, text and action stands once, however many episodes
    share it, and episodes are lists of indices. number: what the page calls the world."""

    def __init__(self, environment: Environment, world: World, number: int):
        self.world, self.number = world, number
        self._gallery, self._teacher = (
            choose_gallery(environment),
            environment.teacher(world, patient=False),
        )
        self._actions, self._texts, self._states = Index(), Index(), Index()
        self._described: list[dict] = []
        self._episodes: dict[str, dict] = {}

    def add_episode(self, name: str, episode: Mapping, source: str) -> None:
        """Replay a stored episode; ``name`` is what the page finds it by, ``source`` the file that errors name.

        A step is [state before it, action (-1: the reply had none), thought] and, where the reply has another form
        than the two lines asked for, the whole reply. Raises UserError where the actions do not lead to what the
        episode says that they led to.
        """
        actions, replies = episode["actions"], episode["replies"]
        state, steps = self.world.initial, []
        if len(actions) != len(replies):
            raise self._refuse(source, f"{len(replies)} replies for {len(actions)} actions")
        for text, reply in zip(actions, replies, strict=True):
            thought = read_thought(reply)
            step = [self._number(state), self._actions[text] if text else -1, self._texts[thought]]
            if reply.strip() != format_reply(thought, text):
                step.append(self._texts[reply])
            steps.append(step)
            after = self.world.step(state, text)
            state = state if after is None else after
        if self.world.solved(state) != episode["success"]:
            raise self._refuse(source, "another outcome than its actions lead to")
        self._episodes[name] = {"steps": steps, "end": self._number(state)}

    def to_json(self) -> dict:
        """All that the page needs of this world."""
        return {
            "number": self.number,
            "hash": self.world.id,
            **self._gallery.describe_world(self.world),
            "actions": list(self._actions),
            "texts": list(self._texts),
            "states": self._described,
            "episodes": self._episodes,
        }

    def _number(self, state: State) -> int:
        """The state's number; what is said of it is how it is drawn, what is possible in it, what is optimal, and the
        steps of a shortest plan (None: no plan is left)."""
        number = self._states[state]
        if number == len(self._described):
            described = self._gallery.describe_state(self.world, state) | {
                "valid": [self._actions[action] for action in self.world.actions(state)],
                "optimal": [self._actions[action] for action in self._teacher.optimal(state)],
                "left": self._teacher.distance(state),
            }
            self._described.append(described)
        return number

    def _refuse(self, source: str, fault: str) -> UserError:
        return UserError(
            f"{source}: the episode of world {self.world.id} has {fault}; "
            "delete the file and run snakemake again"
        )
