"""How a reply is read, whatever it holds."""

import pytest

from taskreason.policies.reply import parse_reply

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
        ("<think>Action: Cook patty1</think>\nThought: x\nAction: Do nothing", "Do nothing", False),
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
