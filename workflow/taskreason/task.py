"""One task, used by every stage: its kitchens, its prompt, how a reply is read, and what a reply earns.

A step is one prompt and one reply. The prompt is the observation, which ends with the valid actions and the goal;
the reply is ReAct: a line ``Thought: …`` and a line ``Action: …`` (equation of the single-turn reward: 0.1 for the
format plus 0.9 when the action equals the expert's).
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property

from taskreason.kitchen.engine import Kitchen, State
from taskreason.kitchen.layout import Layout
from taskreason.kitchen.layout_files import parse_layout
from taskreason.kitchen.observation import observe
from taskreason.shipped import RESOURCES, verify_shipped

FORMAT_REWARD, ACTION_REWARD = 0.1, 0.9

_FORMAT = re.compile(r"Thought: [^\n]+\nAction: ([^\n]+)")
_THOUGHT = re.compile(r"^Thought:[^\n]*", re.MULTILINE)
_ACTION = re.compile(r"^Action:[ \t]*([^\n]*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """A recipe with its default kitchen. expert_bound and timeout are in environment steps."""

    name: str
    title: str
    expert_bound: int
    timeout: int

    @cached_property
    def template(self) -> Layout:
        """The task's default kitchen, from which the generator varies."""
        path = RESOURCES / "tasks" / f"{self.name}.json"
        verify_shipped([path])
        return parse_layout(json.loads(path.read_text()), str(path))


TASKS = {
    task.name: task
    for task in (
        Task("cheese_sandwich", "Cheese Sandwich", 10, 15),
        Task("burger", "Burger", 10, 15),
        Task("cheese_burger", "Cheese Burger", 15, 23),
        Task("double_cheese_burger", "Double Cheese Burger", 23, 35),
    )
}


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
