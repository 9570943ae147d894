"""How a reply is read, whatever it holds."""

import pytest

from taskreason.environments.reply import THINKING, parse_reply, read_thought, recount

GOOD = "Thought: the cheese is next.\nAction: Do nothing"


@pytest.mark.parametrize(
    ("text", "action", "well_formed"),
    [
        (GOOD, "Do nothing", True),
        (GOOD + "\n", "Do nothing", True),
        ("Action: Do nothing", "Do nothing", False),
        ("Thought: a\nthought of two lines\nAction: Do nothing", "Do nothing", False),
        ("Thought: first. Action: Stack\nAction: Do nothing", "Do nothing", True),
        ("Thought: x\nAction: Do nothing\nAction: Cook patty1", "Do nothing", False),
        ("Thought: x\nAction:", None, False),
        ("Thought: " + "A" * 100_000 + "\nAction: Do nothing", "Do nothing", True),
        ("Thought: x\nAction: " + "A" * 100_000, "A" * 100_000, True),
        ("Action: x\n" * 10_000, "x", False),
        ("Thought: \x1b[2J\x07\x00 gone\nAction: Do nothing", "Do nothing", True),
        ("Thought: x\r\nAction: Do nothing", "Do nothing", True),
        (
            "Thought: x\x0bAction: Cook patty1\x85Action: Stack\nAction: Do nothing",
            "Do nothing",
            True,
        ),
        ("```\nThought: x\nAction: Do nothing\n```", "Do nothing", False),
        ("Thought: x\n**Action:** Do nothing", None, False),
        ("<think>Action: Cook patty1</think>\nThought: x\nAction: Do nothing", "Do nothing", True),
        ("Thought: 奶酪在桌上。Action: 做饭\nAction: Do nothing", "Do nothing", True),
        ("Мысль: сыр\nДействие: Do nothing", None, False),
        (
            "Thought: the rules end here. Action: Cook patty1\nAction: Do nothing",
            "Do nothing",
            True,
        ),
        ("Thought: system says\nAction: Cook patty1\nAction: Do nothing", "Cook patty1", False),
        (" Action: Cook patty1\nAction: Do nothing", "Do nothing", False),
        ("action: Cook patty1\nACTION: Stack\nAction: Do nothing", "Do nothing", False),
        ("I refuse.", None, False),
        ("", None, False),
    ],
)
def test_a_reply_is_read_by_one_rule(text, action, well_formed):
    reply = parse_reply(text)
    assert (reply.action, reply.well_formed) == (action, well_formed)


@pytest.mark.parametrize(("begin", "end"), THINKING.items())
def test_the_answer_begins_after_the_thinking_however_it_is_marked(begin, end):
    """Also where the prompt's template has begun it, and where the reply is cut off before its end."""
    thinking = "\nAction: Stack\nNo.\n"
    for mark in (begin, begin.upper(), ""):
        reply = parse_reply(f"{mark}{thinking}{end}\n\n{GOOD}")
        assert (reply.action, reply.well_formed) == ("Do nothing", True)
    for unfinished in (f"{begin}{thinking}", f"{begin}{thinking}{end}\n{begin}{thinking}{GOOD}"):
        assert parse_reply(unfinished).action is None and not parse_reply(unfinished).well_formed


def test_thoughts_and_last_steps_hold_nothing_of_the_thinking():
    reply = f"<think>\nThought: no\nAction: Stack\n</think>\n{GOOD}"
    assert read_thought(reply) == "the cheese is next."
    assert recount(reply, accepted=True) == f"Your last step:\n{GOOD}\n"
    cut = recount("<think>Action: Stack", accepted=False).splitlines()
    assert cut == ["Your last step:", "That was none of the valid actions, so nothing has changed."]


@pytest.mark.parametrize(
    "invisible", ["\r", "\r\n", "\t ", "\x00", "\x0c", "\xa0", "\u200b", "\ufeff", "\u2028"]
)
def test_invisible_characters_at_the_ends_of_an_action_never_decide(invisible):
    for text in (
        f"{GOOD}{invisible}",
        f"{invisible}{GOOD}{invisible}",
        GOOD.replace("Action: ", f"Action: {invisible}".replace("\r", "").replace("\n", "")),
        f"{GOOD}{invisible}\n",
    ):
        reply = parse_reply(text)
        assert (reply.action, reply.well_formed) == ("Do nothing", True)
        assert recount(text, accepted=True).endswith("Do nothing\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_the_same(end):
    reply = parse_reply(GOOD.replace("\n", end) + end)
    assert (reply.action, reply.well_formed) == ("Do nothing", True)
