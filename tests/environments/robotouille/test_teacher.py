"""The expert's words, which can be read off the prompt, and the renaming of all that they name."""

import random
import re
from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchens import ENV, make_kitchen, make_plan, make_world
from taskreason.environments.reply import Reply, parse_reply, read_thought
from taskreason.environments.robotouille.renaming import NAME, draw_renaming, rename
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout import GoalPredicate, Thing
from taskreason.environments.robotouille.teacher import KitchenTeacher
from taskreason.environments.robotouille.world import KitchenWorld


@pytest.mark.parametrize("task", ENV.tasks)
def test_the_expert_follows_a_shortest_plan_in_words_that_the_prompt_holds(task):
    for seed in range(8):
        world = make_world(task, seed)
        teacher, plan = ENV.teacher(world), make_plan(world)
        assert len(plan) == teacher.distance(world.initial)
        for state, action in plan:
            prompt, reply = world.observe(state), teacher.reply(state)
            assert parse_reply(reply) == Reply(action, well_formed=True)
            named = {match.group(0) for match in NAME.finditer(reply)}
            assert named <= {match.group(0) for match in NAME.finditer(prompt)}
            held = re.search(r"Robot holding (\S+?)(?: away, here [^.]+)?\. ", reply)[1]
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


def test_a_thought_says_whether_a_held_item_stays_here():
    """Item, slots and others of its kind are read off the prompt; where all are needed, the item goes away."""
    seen = Counter()
    for task, seed in product(("cheese_sandwich", "burger"), range(40)):
        world = make_world(task, seed)
        state, action = make_plan(world)[0]
        prompt, thought = world.observe(state), read_thought(ENV.teacher(world).reply(state))
        words = re.search(
            r"holding \S+ away, here (?:(\d) )?(\w+)((?:, [\w ]+)*): (here|away)\.", thought
        )
        if not words:
            assert "away," not in thought
            continue
        mark, top, rest, goes = words[1], words[2], words[3].split(", ")[1:], words[4]
        assert action.startswith("Move ") == (goes == "away")
        here = re.search(r"^Robot (\w+) holding", prompt, re.MULTILINE)[1]
        listed = re.findall(rf"^- {here} (.*)$", prompt, re.MULTILINE)[0].split()
        if top == "nothing":
            assert listed == ["empty"] and action.startswith("Place ") and not rest
            continue
        assert listed[-1] == top
        kind = top.rstrip("0123456789")
        goal = dict(re.findall(r"(\d) (?:cooked )?(\w+)", prompt.rpartition("Goal: ")[2]))
        slots = [n for n, wanted in goal.items() if wanted == kind]
        items = prompt.partition("Items:\n")[2].partition("Robot ")[0]
        others = [
            " ".join([name, *flags.split()])
            for name, flags in re.findall(rf"^- ({kind}\d+) \w+(.*)$", items, re.MULTILINE)
            if name != top
        ]
        said = [" ".join(slots), *(others or ["none"])] if slots else ["none"]
        assert rest == said
        told = re.search(rf"(?:(\d) )?{top} {here}\b", thought)
        assert told is None or told[1] == mark, "in its final place or not, as was said before"
        if len(others) < len(slots) and mark is None:
            assert goes == "away"
        seen[goes] += 1
    assert min(seen["away"], seen["here"]) > 0


def test_a_thought_says_what_a_carried_item_lies_on():
    """An item upon another has to be unstacked, one on a station picked up."""
    seen = Counter()
    for task, seed in product(("cheese_sandwich", "burger"), range(12)):
        world = make_world(task, seed)
        for state, action in make_plan(world):
            prompt, thought = world.observe(state), read_thought(ENV.teacher(world).reply(state))
            words = re.search(r"Carry (\w+) (.*?) to ", thought)
            if words and "Robot holding nothing" in thought:
                item, lies = words[1], words[2].split()
                stack = re.search(rf"^- {lies[-1]} (.*)$", prompt, re.MULTILINE)[1].split()
                assert lies[:-1] == stack[: stack.index(item)][-1:]
                if not action.startswith("Move "):
                    assert action.split()[0] == ("Unstack" if lies[:-1] else "Pick")
                    seen[len(lies)] += 1
    assert min(seen[1], seen[2]) > 0


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
    world = make_world(task, 3)
    for state, _ in make_plan(world):
        whole = read_thought(ENV.teacher(world).reply(state))
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
