"""What fills a goal's slots and what stands in its way, against hand-made stacks and against shortest plans."""

import re

import pytest

from kitchens import make_world, walk
from taskreason.environments.robotouille import teacher as expert
from taskreason.environments.robotouille.recital import recite_hand, recite_others, recite_stack
from taskreason.environments.robotouille.simulator.domain import Op
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.goal_stack import (
    Site,
    find_target,
    list_stations,
)
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import PUBLISHED
from taskreason.environments.robotouille.teacher import KitchenTeacher
from taskreason.environments.robotouille.world import KitchenWorld

GOAL = ["bottombun", "cheese", "patty", "topbun"]
TAKING = (Op.pick_up_item, Op.unstack)


def stacked_kitchen(stacks, held=None):
    """A cheese burger's kitchen: tables with the given stacks, and an empty one that the robot faces."""
    items = [
        {"name": name, "x": x, "y": 0, "stack-level": level} | cooked(name)
        for x, stack in enumerate(stacks, start=1)
        for level, name in enumerate(stack)
    ]
    if held:
        items.append({"name": held, "x": 0, "y": 1, "stack-level": 0} | cooked(held))
    terms = [("item_on", ["bottombun", "table"], [1, 9])]
    terms += [("item_at", [kind, "table"], [n, 9]) for n, kind in enumerate(GOAL[1:], start=2)]
    terms += [("iscooked", ["patty"], [3]), ("clear", ["topbun"], [4])]
    return Kitchen(
        parse_layout(
            {
                "width": 5,
                "height": 2,
                "stations": [{"name": "table", "x": x, "y": 0} for x in range(len(stacks) + 1)],
                "items": items,
                "players": [{"name": "robot", "x": 0, "y": 1, "direction": [0, -1]}],
                "goal_description": "A cheese burger.",
                "goal": [{"predicate": p, "args": args, "ids": ids} for p, args, ids in terms],
            },
            "stacked",
        )
    )


def cooked(name):
    """The predicates of an item that lies ready: a patty is cooked."""
    return {"predicates": ["iscooked"]} if name == "patty" else {}


def find_table2(kitchen):
    """The second table as the place of the goal's stack."""
    target, station = find_target(kitchen.goal), kitchen.station_index["table2"]
    return Site(kitchen, kitchen.initial, target, station)


@pytest.mark.parametrize(
    ("stack", "elsewhere", "numbers", "leaving"),
    [
        (["bottombun"], ["cheese", "patty", "topbun"], [1], []),
        (["bottombun", "patty"], ["cheese", "topbun"], [1, 3], []),
        (["bottombun", "onion", "patty"], ["cheese", "topbun"], [1, 3], []),  # may stay
        (["bottombun", "topbun"], ["cheese", "patty"], [1], ["topbun"]),
        (["bottombun", "topbun"], ["cheese", "patty", "topbun"], [1], []),  # another one will do
        (["bottombun", "topbun", "cheese"], ["patty"], [1], ["cheese", "topbun"]),
        (["bottombun", "cheese", "patty", "topbun"], [], [1, 2, 3, 4], []),
        (["onion", "bottombun"], ["cheese", "patty", "topbun"], [], []),
    ],
)
def test_slots_and_obstacles_of_a_stack(stack, elsewhere, numbers, leaving):
    kitchen = stacked_kitchen([stack, elsewhere[::-1]])
    site = find_table2(kitchen)
    assert [n for n, _ in site.list_placed()] == numbers
    assert [kitchen.item_kinds[item] for item in site.list_in_the_way()] == leaving


def test_obstacles_and_a_foreign_item_in_hand_are_said():
    kitchen = stacked_kitchen([["bottombun", "topbun"], ["cheese"]], held="patty")
    site = find_table2(kitchen)
    assert recite_stack(site) == "Tower table2 1 under topbun1"
    cheese, patty = site.target.slots[1:3]
    said = recite_hand(kitchen, kitchen.initial, cheese, site.target)
    assert said == "Robot holding patty1 away, here nothing"
    assert recite_hand(kitchen, kitchen.initial, patty, site.target) == "Robot holding patty1"


@pytest.mark.parametrize(
    ("stack", "elsewhere", "said"),
    [
        (["bottombun", "topbun"], ["cheese", "patty"], ["Other topbun: none"]),
        (["bottombun", "topbun"], ["cheese", "patty", "topbun"], ["Other topbun: topbun2 table3"]),
        (["bottombun", "patty", "cheese"], ["topbun"], []),  # each in its place
        (["bottombun", "onion"], ["cheese", "patty", "topbun"], []),  # no slot waits for it
        (["topbun", "bottombun"], ["cheese", "patty"], []),  # no stack there yet
    ],
)
def test_an_idle_item_of_a_wanted_kind_is_compared_with_the_others(stack, elsewhere, said):
    kitchen = stacked_kitchen([stack, elsewhere])
    assert recite_others(find_table2(kitchen)) == said


def test_the_annotated_thought_is_what_the_expert_says():
    world = KitchenWorld(stacked_kitchen([["bottombun", "topbun"], ["cheese", "patty"]]))
    told = re.findall(r"^    (\S.*)$", expert.__doc__, re.MULTILINE)
    reply = KitchenTeacher(world).reply(world.initial)
    assert reply == f"Thought: {' '.join(told)}\nAction: Move robot1 from table1 to table2"


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
@pytest.mark.parametrize("task", PUBLISHED)
def test_a_shortest_plan_removes_what_stands_in_the_way(task, mode):
    """And leaves in place what counts as such, wherever the plan's tower stands in the end."""
    removed = kept = 0
    for seed in range(12):
        world = make_world(task, seed, mode)
        kitchen, teacher = world.kitchen, KitchenTeacher(world)
        for state in list(walk(kitchen, seed, 6))[::3]:
            plan = teacher.plan(state)
            if not plan:
                continue
            end, size = kitchen.step(*plan[-1]), len(teacher.target.slots)
            for station in list_stations(kitchen, teacher.target):
                if len(Site(kitchen, end, teacher.target, station).list_placed()) < size:
                    continue
                taken = {a.a for s, a in plan if s.loc == station and a.op in TAKING}
                site = Site(kitchen, state, teacher.target, station)
                for item in site.list_in_the_way():
                    assert item in taken
                    removed += 1
                for _, item in site.list_placed():
                    assert item not in taken
                    kept += 1
    assert kept
    if mode == "grouped" and task.endswith("cheese_burger"):
        assert removed
