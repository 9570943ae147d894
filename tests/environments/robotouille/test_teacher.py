"""The expert's words, which can be read off the prompt, and the renaming of all that they name."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchens import ENV, make_kitchen, make_plan, make_world
from taskreason.environments.base import list_plan
from taskreason.environments.reply import Reply, parse_reply, read_thought
from taskreason.environments.robotouille.renaming import NAME, draw_renaming, rename
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout import GoalPredicate, Thing
from taskreason.environments.robotouille.teacher import KitchenTeacher
from taskreason.environments.robotouille.world import KitchenWorld


@pytest.mark.parametrize("task", ENV.tasks)
def test_the_expert_follows_a_shortest_plan_in_words_that_the_prompt_holds(task):
    # Some kitchens of goals of two dishes take the planner a minute.
    for seed in range(8) if task in ENV.default_tasks else [3]:
        world = make_world(task, seed)
        teacher = ENV.teacher(world)
        plan = list_plan(world, teacher)
        assert len(plan) == teacher.distance(world.initial)
        for state, action in plan:
            prompt, reply = world.observe(state), teacher.reply(state)
            assert parse_reply(reply) == Reply(action, well_formed=True)
            named = {match.group(0) for match in NAME.finditer(reply)}
            assert named <= {match.group(0) for match in NAME.finditer(prompt)}
            held = re.search(r"Robot holding (\S+?)(?: away)?\. ", reply)[1]
            there, here, says = re.search(r"(\S+) robot (\S+) (here|away)\.", reply).groups()
            assert f"\nRobot {here} holding {held}\n" in prompt
            moves = action.startswith("Move ")
            assert (says == "here") == (there == here) == (not moves)


def test_the_thought_reads_the_stack_off_the_prompt():
    """Slot numbers are checked against the text: the stack of a table, from the bottom, and the goal's list."""
    world = make_world("double_cheese_burger", 1)
    teacher, heights = ENV.teacher(world), set()
    for state, _ in make_plan(world):
        prompt, thought = world.observe(state), read_thought(teacher.reply(state))
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
    layout = make_kitchen("burger", 17).layout
    patty = next(item for item in layout.items if item.name == "patty")
    taken = {(item.x, item.y) for item in layout.items}
    free = next(s for s in layout.stations if s.name == "table" and (s.x, s.y) not in taken)
    raw = replace(patty, x=free.x, y=free.y, stack_level=0, predicates=("iscookable",))
    kitchen = Kitchen(replace(layout, items=(raw, *layout.items)))
    listed = next(t for t in list_thoughts(kitchen) if "Next 2 cooked patty: " in t)
    raw_name, cooked_name = (name for name in kitchen.items if name.startswith("patty"))
    patties = re.search(r"Next 2 cooked patty: (.*?)\.", listed)[1].split(", ")
    states = {patty.split()[0]: patty.split()[2] for patty in patties}
    assert states == {raw_name: "cookable", cooked_name: "cooked"}
    assert f"Carry {cooked_name}" in listed and f"Carry {raw_name}" not in listed
    alone = Kitchen(replace(layout, items=(raw, *(i for i in layout.items if i.name != "patty"))))
    thoughts = "\n".join(list_thoughts(alone))
    assert re.search(r"Next 2 cooked patty: patty1 \w+ cookable\.", thoughts)


def list_thoughts(kitchen):
    """The thoughts of a shortest plan, one for each of its steps."""
    teacher = KitchenTeacher(KitchenWorld(kitchen))
    return [read_thought(teacher.reply(state)) for state, _ in teacher.plan(kitchen.initial)]


@pytest.mark.parametrize("task", ENV.tasks)
def test_a_short_thought_ends_with_what_the_robot_holds(task):
    """It is the beginning of the whole one, names neither what is carried nor what is done, and lacks nothing else."""
    for whole in list_thoughts(make_world(task, 3).kitchen):
        sentences = whole.removesuffix(".").split(". ")
        (held,) = (n for n, text in enumerate(sentences) if text.startswith("Robot holding "))
        assert ENV.shorten(whole) == ". ".join(sentences[: held + 1]) + "."
        cut = sentences[held + 1 :]
        assert 1 <= len(cut) <= 2 and cut[-1].endswith((" here", " away"))
        assert len(cut) == 1 or cut[0].split()[0] in ("Carry", "Cook", "Cut", "Fry")
    assert (
        ENV.shorten("Robot holding nothing. Pick table1 robot table1 here.")
        == "Robot holding nothing."
    )
    assert ENV.shorten("I see a patty. It is raw.") == "I see a patty. It is raw."


def test_a_thought_in_plain_english_says_the_same():
    """Written down by hand: all kinds of sentences, with what lies where told in the order of the teacher's words."""
    told = {
        "See bottombun: 1 bottombun1 table2 under topbun1 2 patty1 cooked, bottombun2 robot1.": "I see bottombun1 on "
        "table2 in slot 1, under topbun1 and cooked patty1 in slot 2; bottombun2 in hand.",
        "See bread: none. Other topbun: none. Other bread: bread2 sink1.": "I see no bread. No other topbun. Another "
        "bread is bread2 on sink1.",
        "Tower table2 1 2 3 under onion1 cheese1.": "The stack on table2 has slots 1, 2 and 3, under onion1 and "
        "cheese1.",
        "No tower. Empty none: table1 onion1, table2 bread1 cheese2.": "No stack is begun. No place is empty: table1 "
        "has onion1; table2 has bread1 and cheese2.",
        "No tower. Empty table3. Next 1 onion.": "No stack is begun. table3 is empty. Slot 1 is next, an onion.",
        "Next 2 cooked patty: none. Next 2 cooked patty: patty1 table3 cookable, patty2 sink1 cooked.": "Slot 2 is "
        "next, a cooked patty: I see none. Slot 2 is next, a cooked patty: I see cookable patty1 on table3 and cooked "
        "patty2 on sink1.",
        "Robot holding onion1 away. Carry onion1 robot1 to sink1. Place sink1 robot sink2 away.": "I hold onion1, "
        "which has to go. I carry onion1, which I hold, to sink1. I have to place at sink1, but I am at sink2.",
        "Robot holding nothing. Carry patty1 table3 to bottombun1 table2. Pick table3 robot table3 here.": "I hold "
        "nothing. I carry patty1 from table3 to bottombun1 on table2. I have to pick up at table3, and I am at table3.",
        "Cook patty1 stove1. Whatever else.": "I cook patty1 on stove1. Whatever else.",
    }
    assert {thought: ENV.phrase(thought) for thought in told} == told


@pytest.mark.parametrize("task", ENV.tasks)
def test_thoughts_in_plain_english_lose_nothing(task):
    """No two become one, every sentence is another, and all names but the robot's stay in their order."""
    found = {}
    for whole in list_thoughts(make_world(task, 3).kitchen):
        english = ENV.phrase(whole)
        assert not set(whole.split(". ")) & set(english.split(". ")), whole
        names = [re.findall(r"\b[a-z]+\d+\b", text) for text in (whole, english)]
        assert [name for name in names[0] if not name.startswith("robot")] == names[1]
        assert found.setdefault(english, whole) == whole
    assert len(found) > 6


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_renaming_is_one_to_one_and_keeps_the_decision(seed):
    world = make_world("cheese_burger", seed % 20)
    (state, action), *_ = make_plan(world)
    prompt, reply = world.observe(state), ENV.teacher(world).reply(state)
    renaming = draw_renaming(prompt, random.Random(seed))
    assert len(set(renaming.values())) == len(renaming)
    assert all(
        old.rstrip("0123456789") == new.rstrip("0123456789") for old, new in renaming.items()
    )
    back = {new: old for old, new in renaming.items()}
    assert rename(rename(prompt, renaming), back) == prompt
    assert f"\n{rename(action, renaming)}\n" in rename(prompt, renaming)
    assert parse_reply(rename(reply, renaming)).action == rename(action, renaming)


def test_a_plan_that_moves_a_pot_has_its_thoughts_too():
    layout = make_kitchen("burger", 0).layout
    robot = layout.robot
    pot = Thing("pot", *robot.faces)
    items = tuple(item for item in layout.items if (item.x, item.y) != robot.faces)
    goal = (GoalPredicate("has_container", ("robot", "pot"), (1, 2)),)
    kitchen = Kitchen(replace(layout, items=items, containers=(pot,), goal=goal))
    place = kitchen.stations[kitchen.initial.loc]
    assert list_thoughts(kitchen)[-1] == f"Robot holding nothing. Pick {place} robot {place} here."
