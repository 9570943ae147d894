"""How a reply is written and read. It is ReAct, a line of thought and a line of action:

    Thought: See bottombun: bottombun1 table2. Next 1 bottombun. … Pick table2 robot table2 here.
    Action: Pick up bottombun1 from table2 using robot1

A reply of any other form is read by one rule: its action is the first line of the *answer* that begins with
``Action:``. The answer begins after the last mark that ends a model's thinking, and ends before one that begins it
again: a reply that is cut off while the model thinks has an empty answer. Line ends of every system are the same, and
invisible characters at the ends of the answer or of the action do not count. What a reply earns is said in
:mod:`taskreason.training.rewards`.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import dropwhile

THINKING = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
"""Marks by which reasoning models enclose their thinking, in letters of any case. Many chat templates write the first
one themselves, so that a reply has the second alone."""
_BEGIN, _END = (
    re.compile("|".join(map(re.escape, marks)), re.IGNORECASE)
    for marks in (THINKING, THINKING.values())
)
_ACTION = re.compile(r"^Action:[^\n]*", re.MULTILINE)
_THOUGHT = re.compile(r"^Thought:[^\n]*", re.MULTILINE)
_FORMAT = re.compile(r"Thought: [^\n]+\nAction: [^\n]+")


NO_THOUGHT = "."
"""What stands where a reply thinks nothing; the format asks for a thought, and this is the shortest."""


@dataclass(frozen=True)
class Reply:
    """A reply as read. action: the text after the answer's first ``Action:`` at a line's start, or None (malformed).

    well_formed: the whole answer is exactly one thought line followed by one action line.
    """

    action: str | None
    well_formed: bool


def format_reply(thought: str, action: str) -> str:
    """The ReAct format of every reply: one line of thought, one of action."""
    return f"Thought: {thought}\nAction: {action}"


def read_answer(reply: str) -> str:
    """What a reply says once the model has done thinking: '<think>No.</think>Action: Wait' -> 'Action: Wait'."""
    text = reply.replace("\r\n", "\n").replace("\r", "\n")
    return _BEGIN.split(_END.split(text)[-1])[0]


def trim(text: str) -> str:
    """A text without what can't be seen at its ends: white space, control characters, characters of no width."""
    text = "".join(dropwhile(_is_invisible, text))
    return "".join(dropwhile(_is_invisible, reversed(text)))[::-1]


def _is_invisible(letter: str) -> bool:
    # Variation selectors count as marks, not as format characters.
    kind = unicodedata.category(letter)
    return letter.isspace() or kind in ("Cc", "Cf") or "\ufe00" <= letter <= "\ufe0f"


def read_action(reply: str) -> str:
    """The action that a reply names, "" where it names none."""
    return _read_action(read_answer(reply))


def parse_reply(reply: str) -> Reply:
    """Action and form of a reply."""
    answer = read_answer(reply)
    return Reply(_read_action(answer) or None, _FORMAT.fullmatch(trim(answer)) is not None)


def read_thought(reply: str) -> str:
    """What stands before the answer's action, as one line without the label; "" where nothing does."""
    return trim(" ".join(_split(read_answer(reply))[0].split()).removeprefix("Thought:"))


def recount(reply: str, accepted: bool) -> str:
    """The last thought and action as the next prompt tells them, and whether the action was possible."""
    before, action = _split(read_answer(reply))
    thought = _THOUGHT.search(before)
    told = [trim(line) for line in (thought[0] if thought else "", action) if line]
    lines = ["Your last step:", *told]
    if not accepted:
        lines.append("That was none of the valid actions, so nothing has changed.")
    return "\n".join(lines) + "\n"


def _read_action(answer: str) -> str:
    return trim(_split(answer)[1].removeprefix("Action:"))


def _split(answer: str) -> tuple[str, str]:
    """The answer up to its action, and the line of the action; "" where there is none."""
    match = _ACTION.search(answer)
    return (answer[: match.start()], match[0]) if match else (answer, "")
