"""Replies and rewards, the expert's words, and renaming."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchens import make_kitchen
from taskreason.augment import NAME, draw_renaming, rename
from taskreason.reasoning import Expert
from taskreason.task import TASKS, build_prompt, parse_reply, score_reply

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
        ("I refuse.", None, False),
        ("", None, False),
    ],
)
def test_a_reply_is_read_by_one_rule(text, action, well_formed):
    reply = parse_reply(text)
    assert (reply.action, reply.well_formed) == (action, well_formed)


def test_the_reward_is_a_tenth_for_the_format_and_the_rest_for_the_action():
    assert score_reply(GOOD, ("Do nothing",)) == (0.1, 0.9)
    assert score_reply(GOOD, ("Do something",)) == (0.1, 0.0)
    assert score_reply("Action: Do nothing", ("Do nothing",)) == (0.0, 0.9)
    assert score_reply("nonsense", ("Do nothing",)) == (0.0, 0.0)


@given(st.text())
def test_any_text_earns_between_nothing_and_the_full_reward(text):
    assert sum(score_reply(text, ("Do nothing",))) in (0.0, 0.1, 0.9, 1.0)


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_follows_a_shortest_plan_in_words_that_the_prompt_holds(task):
    for seed in range(8):
        kitchen = make_kitchen(task, seed)
        expert = Expert(kitchen)
        plan = expert.plan(kitchen.initial)
        assert len(plan) == expert.planner.distance(kitchen.initial)
        for step, (state, action) in enumerate(plan):
            prompt, reply = build_prompt(kitchen, state), expert.reply_at(plan, step)
            assert sum(score_reply(reply, (action.text,))) == 1.0
            named = {match.group(0) for match in NAME.finditer(reply)}
            assert named <= {match.group(0) for match in NAME.finditer(prompt)}
            where = re.search(r"Robot (\S+) holding (\S+)\. ", reply)
            assert f"\nRobot {where[1]} holding {where[2]}\n" in prompt


def test_the_next_slot_in_the_thought_is_the_first_that_the_tower_lacks():
    kitchen = make_kitchen("double_cheese_burger", 1)
    plan = Expert(kitchen).plan(kitchen.initial)
    for step in range(len(plan)):
        thought = Expert(kitchen).explain(plan[step:])
        built = re.search(r"Tower ((?:\d \w+ )+)", thought)
        done = len(built[1].split()) // 2 if built else 0
        aim = re.search(r"Next (\d)", thought)
        assert aim is None or int(aim[1]) == done + 1


@given(st.integers(0, 10_000))
def test_renaming_is_one_to_one_and_keeps_the_decision(seed):
    kitchen = make_kitchen("cheese_burger", seed % 20)
    expert = Expert(kitchen)
    plan = expert.plan(kitchen.initial)
    prompt, reply = build_prompt(kitchen, kitchen.initial), expert.reply_at(plan, 0)
    renaming = draw_renaming(prompt, random.Random(seed))
    assert len(set(renaming.values())) == len(renaming)
    assert all(
        old.rstrip("0123456789") == new.rstrip("0123456789") for old, new in renaming.items()
    )
    back = {new: old for old, new in renaming.items()}
    assert rename(rename(prompt, renaming), back) == prompt
    action = rename(plan[0][1].text, renaming)
    assert f"\n{action}\n" in rename(prompt, renaming)
    assert parse_reply(rename(reply, renaming)).action == action
