"""The planner against brute force on small kitchens and against another planner on real ones."""

import random
from functools import cache

import pytest

from kitchens import TEMPLATES, explore, shortest_plan
from pddl_export import export_pddl
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.lower_bound import LowerBound
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import CUT, Kitchen
from taskreason.environments.robotouille.simulator.generator import generate_layout
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import PUBLISHED, TASKS

RAW = {"patty": ["iscookable"], "lettuce": ["iscuttable"]}


def make_template(name):
    """A task's own kitchen, or one in which something is prepared or raw."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    if name == "half_done_sandwich":
        data = make_template("lettuce_tomato_sandwich").to_json()
        data["items"][2]["predicates"] = ["iscut"]
        return parse_layout(data, name)
    data = TEMPLATES["burger"].to_json()
    kind, before, after, station = {
        "burger_from_raw": ("patty", "iscookable", "iscooked", "stove"),
        "burger_of_chips": ("potato", "isfryable", "isfried", "fryer"),
    }[name]
    data["stations"].append({"name": station, "x": 4, "y": 0})
    data["items"][2] |= {"name": kind, "predicates": [before]}
    for term in data["goal"]:
        term["args"] = [kind if arg == "patty" else arg for arg in term["args"]]
        term["predicate"] = term["predicate"].replace("iscooked", after)
    return parse_layout(data, name)


def build_small(template, rng, stations, extra):
    """The template's items in random stacks on few stations, with extra stations and items."""
    kinds = [*["table"] * 2, *stations]
    items = [(item.name, list(item.predicates)) for item in template.items]
    items += [(kind, RAW.get(kind, [])) for kind in extra]
    rng.shuffle(items)
    faces = rng.randrange(len(kinds))
    spots = [rng.randrange(len(kinds)) for _ in items]
    levels = [spots[:n].count(spot) for n, spot in enumerate(spots)]
    data = template.to_json() | {
        "width": len(kinds),
        "height": 2,
        "stations": [{"name": kind, "x": x, "y": 0} for x, kind in enumerate(kinds)],
        "items": [
            {"name": name, "x": x, "y": 0, "stack-level": level, "predicates": predicates}
            for (name, predicates), x, level in zip(items, spots, levels, strict=True)
        ],
        "players": [{"name": "robot", "x": faces, "y": 1, "direction": [0, -1]}],
    }
    return Kitchen(parse_layout(data, "small"))


# Fewer than three stations can't be reordered at all.
SMALL = [
    ("cheese_sandwich", ["table"], []),
    ("cheese_sandwich", ["table"], ["lettuce"]),
    ("cheese_sandwich", ["fryer"], ["bread"]),
    ("burger", ["table", "sink"], []),
    ("burger", ["stove"], ["patty"]),
    ("burger", ["board"], ["topbun"]),
    ("cheese_burger", ["table"], []),
    ("cheese_burger", ["table"], ["cheese"]),
    ("double_cheese_burger", ["table"], []),
    ("lettuce_sandwich", ["board"], []),
    ("lettuce_sandwich", ["board"], ["onion"]),
    ("half_done_sandwich", ["board"], []),
    ("burger_from_raw", ["stove"], []),
    ("burger_of_chips", ["fryer"], []),
]


@cache
def solve_small(case):
    """(kitchen, states with successors, distances) of one small kitchen, by brute force."""
    name, stations, extra = SMALL[case]
    rng = random.Random(case)
    kitchen = build_small(make_template(name), rng, stations, extra)
    return kitchen, *explore(kitchen)


def draw_states(case, count):
    """The initial state and `count` of each sort: any, near the goal, with a timer running."""
    kitchen, successors, distance = solve_small(case)
    everything = sorted(successors)
    near = [state for state in everything if 0 < distance.get(state, 0) <= 4]
    timed = [state for state in everything if state.effects]
    rng = random.Random(case)
    drawn = [kitchen.initial]
    for states in (everything, near, timed):
        drawn += rng.sample(states, min(count, len(states)))
    return drawn


@pytest.mark.parametrize("case", range(len(SMALL)), ids=lambda n: f"{SMALL[n][0]}-{n}")
def test_lengths_and_optimal_actions_agree_with_brute_force(case):
    kitchen, successors, distance = solve_small(case)
    planner = Planner(kitchen)
    for state in draw_states(case, 100):
        assert planner.distance(state) == distance.get(state)
        expected = set()
        if distance.get(state):
            nearer = distance[state] - 1
            expected = {
                a for a, after in successors[state].items() if distance.get(after) == nearer
            }
        assert set(planner.optimal_actions(state)) == expected


@pytest.mark.parametrize("case", range(len(SMALL)), ids=lambda n: f"{SMALL[n][0]}-{n}")
def test_answers_do_not_depend_on_earlier_questions(case):
    kitchen, _, distance = solve_small(case)
    for state in draw_states(case, 5):
        assert Planner(kitchen).distance(state) == distance.get(state)


@pytest.mark.parametrize("case", range(len(SMALL)), ids=lambda n: f"{SMALL[n][0]}-{n}")
def test_the_lower_bound_never_exceeds_the_distance(case):
    kitchen, _, distance = solve_small(case)
    bound = LowerBound(kitchen)
    too_high = [state for state, steps in distance.items() if bound.steps(state) > steps]
    assert not too_high, f"{len(too_high)} of {len(distance)} states, such as {too_high[0]}"


def test_the_bound_holds_where_a_half_cut_item_and_one_in_the_hand_cost_the_same():
    """One lettuce lies under bread and needs one more cut; the other is held at the board and needs all three."""
    template = make_template("lettuce_sandwich")
    kitchen = build_small(template, random.Random(10), ["board", "sink"], ["lettuce"])
    assert kitchen.items == ("lettuce1", "bread1", "lettuce2", "bread2")
    state = kitchen.initial._replace(
        loc=2, hand=2, stacks=((1,), (0, 3), (), ()), effects=((CUT, 0, -1, 2),)
    )
    steps, seen, ring = 0, {state}, [state]
    while not any(map(kitchen.is_goal, ring)):
        after = {kitchen.step(s, action) for s in ring for action in kitchen.valid_actions(s)}
        steps, ring = steps + 1, list(after - seen)
        seen |= after
    assert LowerBound(kitchen).steps(state) <= steps
    assert Planner(kitchen).distance(state) == steps


@pytest.mark.parametrize("name", PUBLISHED)
def test_default_kitchens_have_the_benchmarks_optima(name):
    optima = dict(cheese_sandwich=8, burger=8, cheese_burger=15, double_cheese_burger=23)
    assert len(shortest_plan(Kitchen(TEMPLATES[name]))) == optima[name]


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
@pytest.mark.parametrize("name", TASKS)
def test_the_distance_falls_by_one_along_a_plan(name, mode):
    for seed in range(5):
        kitchen = Kitchen(generate_layout(make_template(name), seed, mode))
        planner, state = Planner(kitchen), kitchen.initial
        plan = planner.plan()
        for done, action in enumerate(plan):
            assert not kitchen.is_goal(state)
            assert planner.distance(state) == len(plan) - done
            assert action in planner.optimal_actions(state)
            state = kitchen.step(state, action)
        assert kitchen.is_goal(state) and planner.distance(state) == 0
        assert planner.optimal_actions(state) == ()


@pytest.mark.parametrize("name", TASKS)
def test_neighbouring_states_differ_by_at_most_one_step(name):
    """Along random walks: no action gains more than a step, and some action gains one."""
    kitchen = Kitchen(generate_layout(make_template(name), 3, "scattered"))
    planner, rng, state = Planner(kitchen), random.Random(name), kitchen.initial
    for _ in range(25):
        here = planner.distance(state)
        after = {a: planner.distance(kitchen.step(state, a)) for a in kitchen.valid_actions(state)}
        if here:
            assert min(after.values()) == here - 1
            best = {action for action, steps in after.items() if steps == here - 1}
            assert set(planner.optimal_actions(state)) == best
        state = kitchen.step(state, rng.choice(list(after)))


def test_an_unreachable_goal_has_no_plan():
    data = TEMPLATES["burger"].to_json()
    data["players"][0]["direction"] = [1, 0]
    kitchen = Kitchen(parse_layout(data, "test"))
    assert shortest_plan(kitchen) is None
    assert Planner(kitchen).distance(kitchen.initial) is None
    assert Planner(kitchen).optimal_actions(kitchen.initial) == ()


# The independent planner needs under a second for most kitchens; these seeds are such.
REAL = [
    *[("cheese_sandwich", seed, "scattered") for seed in (0, 1, 3)],
    *[("burger", seed, "scattered") for seed in (1, 5)],
    *[("cheese_burger", seed, "scattered") for seed in (0, 2, 3)],
    ("burger", 1, "grouped"),
    ("cheese_burger", 3, "grouped"),
    ("double_cheese_burger", None, "default"),
]


@pytest.mark.parametrize("name, seed, mode", REAL)
def test_an_independent_optimal_planner_agrees(name, seed, mode):
    shortcuts = pytest.importorskip("unified_planning.shortcuts")
    pytest.importorskip("up_fast_downward")
    from unified_planning.io import PDDLReader

    template = TEMPLATES[name]
    kitchen = Kitchen(template if seed is None else generate_layout(template, seed, mode))
    shortcuts.get_environment().credits_stream = None
    problem = PDDLReader().parse_problem_string(*export_pddl(kitchen))
    with shortcuts.OneshotPlanner(name="fast-downward-opt") as independent:
        plan = independent.solve(problem).plan
    assert len(plan.actions) - 1 == len(shortest_plan(kitchen))


@pytest.mark.parametrize("change", ["raw patty", "pot", "cut"])
def test_pddl_export_refuses_what_it_cannot_say(change):
    data = TEMPLATES["burger"].to_json()
    if change == "raw patty":
        patty = data["items"][2]
        data["items"].append(patty | {"stack-level": 1, "predicates": ["iscookable"]})
    elif change == "pot":
        data["containers"] = [{"name": "pot", "x": 0, "y": 2}]
    else:
        data["goal"].append({"predicate": "nothing", "args": ["robot"], "ids": [9]})
    with pytest.raises(UserError, match="no exact PDDL export"):
        export_pddl(Kitchen(parse_layout(data, "test")))
