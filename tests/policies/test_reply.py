"""Replies and rewards, the expert's words, and renaming."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchens import make_kitchen
from taskreason.environments.robotouille.renaming import NAME, draw_renaming, rename
from taskreason.environments.robotouille.simulator.domain import Op
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout import ContainerSpec, GoalPredicate
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.environments.robotouille.teacher import Expert
from taskreason.policies.prompt import build_prompt
from taskreason.policies.reply import parse_reply, score_reply

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
            held = re.search(r"Robot holding (\S+?)(?: away)?\. ", reply)[1]
            there, here, says = re.search(r"(\S+) robot (\S+) (here|away)\.", reply).groups()
            assert f"\nRobot {here} holding {held}\n" in prompt
            assert (says == "here") == (there == here) == (action.op is not Op.move)


def test_the_thought_reads_the_tower_off_the_prompt():
    """Slot numbers are checked against the text: the stack of a table, from the bottom, and the goal's list."""
    kitchen = make_kitchen("double_cheese_burger", 1)
    plan = Expert(kitchen).plan(kitchen.initial)
    heights = set()
    for step, (state, _) in enumerate(plan):
        prompt, thought = build_prompt(kitchen, state), Expert(kitchen).explain(plan[step:])
        goal = dict(re.findall(r"(\d) ((?:cooked )?\w+)", prompt.rpartition("Goal: ")[2]))
        place = re.search(r"Tower (\w+) ((?:\d ?)+)\.", thought)
        stack = re.search(rf"^- {place[1]} (.*)$", prompt, re.MULTILINE)[1].split() if place else []
        assert place or "No tower. Empty table" in thought
        built = place[2].split() if place else []
        assert built == [str(n) for n in range(1, len(built) + 1)]
        for number, item in zip(built, stack, strict=True):
            assert goal[number].removeprefix("cooked ") == item.rstrip("0123456789")
            assert number == "1" or re.search(rf"{number} {item}\b", thought)
        following = str(len(built) + 1)
        assert f"Next {following} {goal[following]}" in thought
        heights.add(len(built))
    assert heights >= set(range(1, 6))


def test_the_thought_tells_a_raw_patty_from_a_cooked_one():
    layout = make_kitchen("burger", 4).layout
    patty = next(item for item in layout.items if item.name == "patty")
    taken = {(item.x, item.y) for item in layout.items}
    free = next(s for s in layout.stations if s.name == "table" and (s.x, s.y) not in taken)
    raw = replace(patty, x=free.x, y=free.y, stack_level=0, predicates=("iscookable",))
    kitchen = Kitchen(replace(layout, items=(raw, *layout.items)))
    listed = next(t for t in explain_plan(kitchen) if "Next 2 cooked patty: " in t)
    raw_name, cooked_name = (name for name in kitchen.items if name.startswith("patty"))
    patties = re.search(r"Next 2 cooked patty: (.*?)\.", listed)[1].split(", ")
    states = {patty.split()[0]: patty.split()[2] for patty in patties}
    assert states == {raw_name: "cookable", cooked_name: "cooked"}
    assert f"Carry {cooked_name}" in listed and f"Carry {raw_name}" not in listed
    alone = Kitchen(replace(layout, items=(raw, *(i for i in layout.items if i.name != "patty"))))
    thoughts = "\n".join(explain_plan(alone))
    assert re.search(r"Next 2 cooked patty: patty1 \w+ cookable\.", thoughts)


def explain_plan(kitchen):
    """The thoughts of a shortest plan, one for each of its steps."""
    plan = Expert(kitchen).plan(kitchen.initial)
    return [Expert(kitchen).explain(plan[n:]) for n in range(len(plan))]


@settings(deadline=None)
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


def test_a_plan_that_moves_a_pot_has_its_thoughts_too():
    layout = make_kitchen("burger", 0).layout
    robot = layout.robot
    pot = ContainerSpec("pot", *robot.faces)
    items = tuple(item for item in layout.items if (item.x, item.y) != robot.faces)
    goal = (GoalPredicate("has_container", ("robot", "pot"), (1, 2)),)
    kitchen = Kitchen(replace(layout, items=items, containers=(pot,), goal=goal))
    thoughts = explain_plan(kitchen)
    place = kitchen.stations[kitchen.initial.loc]
    assert thoughts[-1] == f"Robot holding nothing. Pick {place} robot {place} here."
