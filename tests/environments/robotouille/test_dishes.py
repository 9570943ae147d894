"""Goals of several dishes: bound, search and plans against brute force, and the benchmark's own layouts beside us."""

import gzip
import json
import random
from functools import cache
from math import perm
from pathlib import Path

import pytest

from kitchens import explore
from pddl_export import export_pddl
from taskreason.environments.robotouille.planner.assignment import MOST, choose_items
from taskreason.environments.robotouille.planner.dish_bound import DishBound
from taskreason.environments.robotouille.planner.dishes import compile_dishes
from taskreason.environments.robotouille.planner.scene import NEVER
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.planner.symmetry import Symmetry
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout

CONFORMANCE = Path(__file__).resolve().parents[4] / "shared" / "conformance"
RAW = {
    "patty": ["iscookable"],
    "lettuce": ["iscuttable"],
    "chicken": ["isfryable"],
    "potato": ["iscuttable", "isfryableifcut"],
}


def term(text):
    """``term("atop cheese3 bread1")``: a predicate of a goal, each argument a kind with its id."""
    predicate, *things = text.split()
    kinds = [thing.rstrip("0123456789") for thing in things]
    ids = [int(thing[len(kind) :]) for thing, kind in zip(things, kinds, strict=True)]
    return {"predicate": predicate, "args": kinds, "ids": ids}


def build(goal, stations, items, containers="", rng=None):
    """A kitchen in which the containers and the items, in stacks, are at random stations.

    goal: terms with commas between them, as `term` reads them; the others: kinds with blanks between them.
    """
    rng = rng or random.Random(goal)
    stations, items, containers = stations.split(), items.split(), containers.split()
    rng.shuffle(stations)
    rng.shuffle(items)
    cells = rng.sample(range(len(stations)), len(stations))
    spots = [rng.choice(cells[len(containers) :]) for _ in items]
    data = {
        "width": len(stations),
        "height": 2,
        "stations": [{"name": kind, "x": x, "y": 0} for x, kind in enumerate(stations)],
        "items": [
            {
                "name": kind,
                "x": x,
                "y": 0,
                "stack-level": spots[:n].count(x),
                "predicates": RAW.get(kind, []),
            }
            for n, (kind, x) in enumerate(zip(items, spots, strict=True))
        ],
        "containers": [
            {"name": kind, "x": x, "y": 0} for kind, x in zip(containers, cells, strict=False)
        ],
        "players": [
            {"name": "robot", "x": rng.randrange(len(stations)), "y": 1, "direction": [0, -1]}
        ],
        "goal_description": "Several dishes.",
        "goal": [term(text) for text in goal.split(",")],
    }
    return Kitchen(parse_layout(data, "dishes"))


TOWERS = "item_on bread1 table2, item_at cheese3 table2"
SOUP = "in water1 bowl2, isboiling water1, container_at bowl2 table3, addedto bread4 water1"
SMALL = {
    "equal towers": (
        f"{TOWERS}, item_on bread4 table5, atop cheese6 bread4",
        "table table table",
        "bread bread cheese cheese",
    ),
    "tops that may change places": (
        "item_on bread1 table2, item_at bread3 table2, clear bread3, item_on bread4 table5, "
        "item_at bread6 table5, clear bread6",
        "table table sink",
        "bread bread bread bread",
    ),
    "an order in one tower": (
        "item_on bread1 table2, atop cheese3 bread1, item_at bread4 table2, clear bread4, "
        "item_on cheese5 table6",
        "table table board",
        "bread bread cheese cheese",
    ),
    "a top inside an unfinished tower": (
        "item_on cheese1 table2, atop cheese3 cheese1, item_at bread4 table2, clear bread4, "
        "item_on bread5 table6",
        "table table sink",
        "bread bread cheese cheese",
    ),
    "something in the way": (
        f"{TOWERS}, item_on cheese4 table5",
        "table table board",
        "bread cheese cheese tomato",
    ),
    "a cut one and a raw one": (
        "iscut lettuce1, item_on lettuce1 table2, item_on lettuce3 table4",
        "table table board",
        "lettuce lettuce",
    ),
    "cooked": (
        "iscooked patty1, item_on patty1 table2, item_on bread3 table4",
        "table table stove",
        "patty bread",
    ),
    "cut and fried": (
        "iscut potato1, isfried potato1, item_on potato1 table2, item_on bread3 table4",
        "table table board fryer",
        "potato bread",
    ),
    "soup": (SOUP, "table table stove sink", "bread", "pot bowl"),
    "soup of a cut item": (
        "in water1 bowl2, iscut lettuce3, addedto lettuce3 water1",
        "table table board sink",
        "lettuce",
        "pot bowl",
    ),
    "soup and something in the hand or in the way": (
        "in water1 bowl2, addedto bread3 water1",
        "table board sink",
        "bread cheese",
        "pot bowl",
    ),
    "soup and a tower": (
        "in water1 bowl2, addedto bread3 water1, item_on cheese4 table5",
        "table table table sink",
        "bread cheese",
        "pot bowl",
    ),
    "two soups from one pot": (
        "in water1 bowl2, in water3 bowl4",
        "table table table sink",
        "",
        "pot bowl bowl",
    ),
}


@cache
def solve_small(case):
    """(kitchen, states with successors, distances) of one small kitchen, by brute force."""
    kitchen = build(*SMALL[case])
    return kitchen, *explore(kitchen)


def draw_states(case, count):
    """The initial state and `count` of each sort: any, near the goal, with something running."""
    kitchen, successors, distance = solve_small(case)
    rng, everything = random.Random(case), sorted(successors, key=str)
    near = [state for state in everything if 0 < distance.get(state, 0) <= 4]
    timed = [state for state in everything if state.effects]
    drawn = [kitchen.initial]
    for states in (everything, near, timed):
        drawn += rng.sample(states, min(count, len(states)))
    return drawn


@pytest.mark.parametrize("case", SMALL)
def test_the_bound_never_exceeds_the_distance(case):
    kitchen, successors, distance = solve_small(case)
    assert kitchen.initial in distance
    bound = DishBound(kitchen, compile_dishes(kitchen.goal))
    too_high = [s for s in successors if bound.steps(s) > distance.get(s, bound.steps(s))]
    assert not too_high, f"{len(too_high)} of {len(successors)} states, such as {too_high[0]}"
    tight = sum(bound.steps(state) == steps for state, steps in distance.items())
    assert tight > len(distance) / 5


@pytest.mark.parametrize("case", SMALL)
def test_states_of_one_name_are_equally_far_from_the_goal(case):
    kitchen, successors, distance = solve_small(case)
    name, found = Symmetry(kitchen).name, {}
    for state in successors:
        assert found.setdefault(name(state), distance.get(state)) == distance.get(state)


@pytest.mark.parametrize("case", SMALL)
def test_lengths_and_optimal_actions_agree_with_brute_force(case):
    kitchen, successors, distance = solve_small(case)
    planner = Planner(kitchen)
    for state in draw_states(case, 15):
        here = distance.get(state)
        best = [a for a, s in successors[state].items() if here and distance.get(s) == here - 1]
        assert planner.distance(state) == here
        assert planner.optimal_actions(state) == tuple(best)


@pytest.mark.parametrize("case", SMALL)
def test_answers_do_not_depend_on_earlier_questions(case):
    kitchen, _, distance = solve_small(case)
    for state in draw_states(case, 4):
        assert Planner(kitchen).distance(state) == distance.get(state)


@pytest.mark.parametrize("case", SMALL)
def test_the_plan_is_the_first_of_the_shortest_ones(case):
    kitchen, successors, distance = solve_small(case)
    state, expected = kitchen.initial, []
    while distance[state]:
        after = successors[state].items()
        action, state = next((a, s) for a, s in after if distance.get(s) == distance[state] - 1)
        expected.append(action)
    asked = Planner(kitchen)
    for other in draw_states(case, 2):
        asked.optimal_actions(other)
    assert Planner(kitchen).plan() == asked.plan() == expected


@pytest.mark.parametrize(
    "goal",
    [
        "item_on bread1 table2, has_item robot3 cheese4",  # about the robot
        "item_on bread1 table2, item_at cheese3 board4",  # no table
        "item_on bread1 table2, in water3 pot4",  # not in a bowl
        "item_on bread1 table2, item_on bread1 table3",  # one thing twice
        "item_on bread1 table2, isboiling water3",  # a meal that is nowhere
        "item_on bread1 table2, iscooking patty3, item_at patty3 table2",  # a passing flag
        "iscut lettuce1",  # no dish at all
    ],
)
def test_other_goals_are_no_dishes(goal):
    """They are planned as before."""
    stations, items = "table table board sink stove", "bread cheese patty lettuce"
    assert compile_dishes(build(goal, stations, items, "pot bowl").goal) is None


def test_a_spoilt_soup_is_known_as_such():
    """An item that is added raw never gets cut, so no search is needed to tell that there is no plan."""
    kitchen = build(*SMALL["soup of a cut item"])
    added = kitchen.initial._replace(
        stacks=tuple(() for _ in kitchen.stations), added=frozenset({(0, 0)}), meals=(0,)
    )
    pot = kitchen.container_kinds.index("pot")
    containers = tuple((s, 0 if c == pot else -1) for c, (s, _) in enumerate(added.containers))
    spoilt = added._replace(containers=containers)
    assert DishBound(kitchen, compile_dishes(kitchen.goal)).steps(spoilt) >= NEVER
    planner = Planner(kitchen, node_limit=0)
    assert planner.distance(spoilt) is None and planner.optimal_actions(spoilt) == ()


def test_many_items_of_a_kind_are_counted_without_trying_all_choices():
    rows = tuple(tuple(4 * (item != slot) for item in range(9)) for slot in range(6))
    nowhere = (-1,) * 9
    few = choose_items(rows[:2], (0,) * 9, nowhere, nowhere[:2])
    assert few.least == 0 and few.moved == 0
    assert perm(9, 6) > MOST
    many = choose_items(rows, (0,) * 9, nowhere, nowhere[:6])
    assert many.least == 0 and many.swapped


def test_three_dishes_at_once_are_planned_from_a_few_states():
    goal = (
        "in water1 bowl2, isboiling water1, addedto potato3 water1, container_at bowl2 table4, "
        "item_on bread5 table6, iscooked patty7, item_at patty7 table6, iscut lettuce8, "
        "item_at lettuce8 table6, item_at bread9 table6, clear bread9, "
        "item_on bread10 table11, item_at cheese12 table11, iscut potato13, isfried potato13, "
        "item_at potato13 table11"
    )
    stations = "table table table table table table board stove fryer sink"
    items = "bread bread bread cheese patty lettuce potato potato"
    kitchen = build(goal, stations, items, "pot bowl", random.Random(0))
    planner, state = Planner(kitchen, node_limit=2000), kitchen.initial
    plan = planner.plan()
    for done, action in enumerate(plan):
        assert planner.distance(state) == len(plan) - done
        state = kitchen.step(state, action)
    assert kitchen.is_goal(state)


@pytest.mark.parametrize("seed", range(3))
def test_an_independent_optimal_planner_agrees_on_two_towers(seed):
    shortcuts = pytest.importorskip("unified_planning.shortcuts")
    pytest.importorskip("up_fast_downward")
    from unified_planning.io import PDDLReader

    goal, _, items = SMALL["equal towers"]
    kitchen = build(goal, "table table table sink", f"{items} tomato", rng=random.Random(seed))
    shortcuts.get_environment().credits_stream = None
    problem = PDDLReader().parse_problem_string(*export_pddl(kitchen))
    with shortcuts.OneshotPlanner(name="fast-downward-opt") as independent:
        plan = independent.solve(problem).plan
    assert len(plan.actions) - 1 == Planner(kitchen).distance(kitchen.initial)


OPTIMA = {
    "synchronous/7_two_lettuce_chicken_sandwich": (43, 1500),
    "synchronous/8_two_lettuce_tomato_burger": (39, 1000),
    "synchronous/9_onion_cheese_burger_and_lettuce_tomato_chicken_sandwich": (57, 1000),
    "asynchronous/3_tomato_burger_and_fries": (42, 4000),
    "asynchronous/4_onion_cheese_burger_and_fried_onion": (46, 10_000),
    "asynchronous/5_potato_soup": (19, 1000),
    "asynchronous/6_onion_soup": (42, 1000),
    "asynchronous/7_tomato_soup_and_lettuce_chicken_sandwich": (44, 1000),
}
"""Steps of a shortest plan for the benchmark's own layouts, and the most states that may be expanded for it."""


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="no recorded traces beside the checkout")
def test_the_benchmarks_layouts_of_several_dishes_are_planned_from_a_few_states():
    layouts = {}
    for file in ("traces_cut_cook_fry", "traces_soup"):
        with gzip.open(CONFORMANCE / f"{file}.jsonl.gz") as lines:
            rows = map(json.loads, lines)
            layouts |= {row["task"]: row["layout"] for row in rows if row["seed"] is None}
    for task, (steps, limit) in OPTIMA.items():
        kitchen = Kitchen(parse_layout(layouts[task], task))
        assert Planner(kitchen, node_limit=limit).distance(kitchen.initial) == steps
