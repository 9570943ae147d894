"""What the episodes in one world went through, as plain values for a page.

Input: a world and stored episodes in it. Output: JSON values in which every state, text and action stands once,
however many episodes share it, and episodes are lists of indices. The world replays the actions, and the teacher says
of every state which actions begin a shortest plan and how many steps that has, so a page needs neither.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment, Gallery, State, World
from taskreason.environments.reply import format_reply, read_thought

SOURCES = Path(__file__).with_name("templates")


class PlainGallery(Gallery):
    """States as the text that a model reads, for environments without a gallery of their own."""

    programs = (SOURCES / "plain.js",)
    style = None

    def about(self) -> dict[str, Any]:
        return {}

    def describe_world(self, world: World) -> dict[str, Any]:
        return {}

    def describe_state(self, world: World, state: State) -> dict[str, Any]:
        return {"text": world.observe(state)}

    def describe_goal(self, world: World) -> dict[str, Any]:
        return {}


class Index(dict):
    """Numbers of things in the order in which they were first asked for."""

    def __missing__(self, key):
        self[key] = len(self)
        return self[key]


class WorldRecord:
    """One world, and what its episodes add to it. number: what the page calls it."""

    def __init__(self, environment: Environment, world: World, number: int):
        self.world, self.number = world, number
        self._gallery = environment.gallery or PlainGallery()
        self._teacher = environment.teacher(world)
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
