"""A reply: how it is read, and what it earns.

The reply is ReAct: a line ``Thought: …`` and a line ``Action: …`` (equation of the single-turn reward: 0.1 for the
format plus 0.9 when the action equals the expert's).
"""

import re
from dataclasses import dataclass

FORMAT_REWARD, ACTION_REWARD = 0.1, 0.9

_FORMAT = re.compile(r"Thought: [^\n]+\nAction: ([^\n]+)")
_THOUGHT = re.compile(r"^Thought:[^\n]*", re.MULTILINE)
_ACTION = re.compile(r"^Action:[ \t]*([^\n]*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """A reply as read. action: the text after the first ``Action:`` at a line's start, or None (malformed).

    well_formed: the whole reply is exactly one thought line followed by one action line.
    """

    action: str | None
    well_formed: bool


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
