"""How a reply is read. It is ReAct, a line of thought and a line of action:

    Thought: See bottombun: bottombun1 table2. Next 1 bottombun. … Pick table2 robot table2 here.
    Action: Pick up bottombun1 from table2 using robot1

A reply of any other form is read by one rule: the action is the first line that begins with ``Action:``. What it earns
is said in :mod:`taskreason.training.rewards`.
"""

import re
from dataclasses import dataclass

from taskreason.environments.base import ACTION_LINE, read_action

_FORMAT = re.compile(r"Thought: [^\n]+\nAction: ([^\n]+)")
_THOUGHT = re.compile(r"^Thought:[^\n]*", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """A reply as read. action: the text after the first ``Action:`` at a line's start, or None (malformed).

    well_formed: the whole reply is exactly one thought line followed by one action line.
    """

    action: str | None
    well_formed: bool


def recount(reply: str, accepted: bool) -> str:
    """The last thought and action as the next prompt tells them, and whether the action was possible."""
    action = ACTION_LINE.search(reply)
    thought = _THOUGHT.search(reply[: action.start()] if action else reply)
    lines = ["Your last step:", *(match.group(0).strip() for match in (thought, action) if match)]
    if not accepted:
        lines.append("That was none of the valid actions, so nothing has changed.")
    return "\n".join(lines) + "\n"


def parse_reply(text: str) -> Reply:
    """Read a reply by one rule: the action is the first line that begins with ``Action:``."""
    return Reply(read_action(text) or None, _FORMAT.fullmatch(text.strip()) is not None)


def read_thought(text: str) -> str:
    """What stands before a reply's action, as one line without the label; "" where nothing does."""
    match = ACTION_LINE.search(text)
    before = text[: match.start()] if match else text
    return " ".join(before.split()).removeprefix("Thought:").strip()
