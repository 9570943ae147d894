"""One task, used by every stage: its kitchens, its prompt, how a reply is read, and what a reply earns.

A step is one prompt and one reply. The prompt is the observation, which ends with the valid actions and the goal;
the reply is ReAct: a line ``Thought: …`` and a line ``Action: …`` (equation of the single-turn reward: 0.1 for the
format plus 0.9 when the action equals the expert's).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taskreason.config_types import Recipe
from taskreason.errors import UserError
from taskreason.kitchen.engine import Kitchen, State
from taskreason.kitchen.layout import Layout
from taskreason.kitchen.layout_files import load_layouts
from taskreason.kitchen.observation import observe
from taskreason.shipped import RESOURCES, verify_shipped

PROJECT = RESOURCES.parents[1]
FORMAT_REWARD, ACTION_REWARD = 0.1, 0.9

_FORMAT = re.compile(r"Thought: [^\n]+\nAction: ([^\n]+)")
_THOUGHT = re.compile(r"^Thought:[^\n]*", re.MULTILINE)
_ACTION = re.compile(r"^Action:[ \t]*([^\n]*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """A recipe; layout: the file of its default kitchen."""

    layout: Path

    @cached_property
    def template(self) -> Layout:
        """The task's default kitchen, from which the generator varies."""
        verify_shipped([self.layout])
        layouts = load_layouts(self.layout)
        if len(layouts) > 1:
            raise UserError(f"{self.layout}: holds {len(layouts)} layouts; give a file with one.")
        return layouts[0]


TASKS = {
    name: Task(RESOURCES / "tasks" / f"{name}.json")
    for name in ("cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger")
}
"""The four tasks that are reproduced, from simple to complex."""


def find_task(name: str, recipes: Mapping[str, Recipe]) -> Task:
    """One of the four tasks, or a recipe of the configuration."""
    if name in TASKS:
        return TASKS[name]
    return Task(PROJECT / recipes[name].layout)


@dataclass(frozen=True)
class Reply:
    """A reply as read. action: the text after the first ``Action:`` at a line's start, or None (malformed).

    well_formed: the whole reply is exactly one thought line followed by one action line.
    """

    action: str | None
    well_formed: bool


def build_prompt(kitchen: Kitchen, state: State, before: str = "") -> str:
    """The prompt for one decision; training and rollouts both build it here.

    before: what :func:`recount` says of the step before, where prompts tell it.
    """
    return f"{before}\n{observe(kitchen, state)}" if before else observe(kitchen, state)


def recount(reply: str, accepted: bool) -> str:
    """The last thought and action as the next prompt tells them, and whether the action was possible."""
    action = _ACTION.search(reply)
    thought = _THOUGHT.search(reply[: action.start()] if action else reply)
    lines = ["Your last step:", *(match.group(0).strip() for match in (thought, action) if match)]
    if not accepted:
        lines.append("That was none of the valid actions, so nothing has changed.")
    return "\n".join(lines) + "\n"


def parse_reply(text: str) -> Reply:
    """Read a reply by one rule: the action is the first line that begins with ``Action:``."""
    match = _ACTION.search(text)
    action = match.group(1) if match else None
    return Reply(action or None, _FORMAT.fullmatch(text.strip()) is not None)


def read_thought(text: str) -> str:
    """What stands before a reply's action, as one line without the label; "" where nothing does."""
    match = _ACTION.search(text)
    before = text[: match.start()] if match else text
    return " ".join(before.split()).removeprefix("Thought:").strip()


def score_reply(text: str, accepted: tuple[str, ...]) -> tuple[float, float]:
    """(format reward, action reward) of a reply; ``accepted`` holds the action texts that earn the second."""
    reply = parse_reply(text)
    return FORMAT_REWARD * reply.well_formed, ACTION_REWARD * (reply.action in accepted)
