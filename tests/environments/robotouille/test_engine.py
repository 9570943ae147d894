"""The simulator against the rules: preconditions, inverse pairs, timers, goals, invalid replies."""

import random
import re

import pytest

from kitchens import TEMPLATES
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import generate_layout
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.simulator.observation import list_predicates
from taskreason.environments.robotouille.tasks import PUBLISHED


def build(stations, items=(), containers=(), goal=None, faces=0):
    """A kitchen in one row: kinds of stations, (kind, station, predicates) of items, containers.

    The robot stands in the row above and faces station number `faces`; a station of -1 is its hand.
    """
    levels: dict[int, int] = {}

    def place(kind, station):
        x, y = (faces, 1) if station < 0 else (station, 0)
        levels[station] = levels.get(station, -1) + 1
        return {"name": kind, "x": x, "y": y}, levels[station]

    rows = []
    for kind, station, *predicates in items:
        row, level = place(kind, station)
        rows.append(row | {"stack-level": level, "predicates": predicates})
    goal = goal or [("loc", ["robot", stations[0]], [1, 2])]
    data = {
        "width": len(stations),
        "height": 2,
        "stations": [{"name": kind, "x": x, "y": 0} for x, kind in enumerate(stations)],
        "items": rows,
        "players": [{"name": "robot", "x": faces, "y": 1, "direction": [0, -1]}],
        "containers": [place(kind, station)[0] for kind, station in containers],
        "goal_description": "Test.",
        "goal": [{"predicate": p, "args": args, "ids": ids} for p, args, ids in goal],
    }
    return Kitchen(parse_layout(data, "test"))


def run(kitchen, *texts, state=None):
    """The state after these actions, each of which must be valid; "robot1" is filled in."""
    state = kitchen.initial if state is None else state
    for text in texts:
        full = text if text == "Do nothing" else _complete(text)
        action = kitchen.find_action(state, full)
        assert action is not None, f"{full!r} is not in {kitchen.valid_actions(state)}"
        state = kitchen.step(state, action)
    return state


def _complete(text):
    move = re.fullmatch(r"(\w+) -> (\w+)", text)
    return f"Move robot1 from {move[1]} to {move[2]}" if move else f"{text} using robot1"


def holds(kitchen, state, *predicates):
    return set(predicates) <= set(list_predicates(kitchen, state))


FULL_STATIONS = ["table", "table", "stove", "stove", "board", "fryer", "sink", "table"]


def build_full():
    """A kitchen where each of the fifteen actions can happen."""
    items = [
        ("patty", 0, "iscookable"),
        ("chicken", 2, "iscookable", "isfryable"),
        ("potato", 4, "iscuttable", "isfryableifcut"),
        ("bread", 1),
        ("lettuce", 1, "iscuttable"),
    ]
    return build(FULL_STATIONS, items, [("pot", 6), ("bowl", 7)])


WALKS = [("full", seed) for seed in range(6)] + [
    (name, seed) for name in PUBLISHED for seed in (2, 3)
]


def walk(case, steps=250):
    """(kitchen, state, action, next state) along a seeded random walk that avoids idling."""
    name, seed = case
    kitchen = (
        build_full()
        if name == "full"
        else Kitchen(generate_layout(TEMPLATES[name], seed, "scattered"))
    )
    rng = random.Random(seed)
    state = kitchen.initial
    for _ in range(steps):
        actions = kitchen.valid_actions(state)
        weights = [0.3 if a.text.startswith(("Move", "Do")) else 1.0 for a in actions]
        action = rng.choices(actions, weights)[0]
        after = kitchen.step(state, action)
        yield kitchen, state, action, after
        state = after


def list_valid_actions(facts):
    """The rules' preconditions, evaluated on the reference's predicates instead of on the state."""
    terms = [re.fullmatch(r"(\w+)\((.*)\)", fact).groups() for fact in facts]
    by_name: dict[str, list[tuple[str, ...]]] = {}
    for name, args in terms:
        by_name.setdefault(name, []).append(tuple(args.split(",")))

    def get(name):
        return by_name.get(name, [])

    def true(name, *args):
        return args in get(name)

    found = {"Do nothing"}
    for r, s in get("loc"):
        found |= {f"Move {r} from {s} to {other}" for (other,) in get("vacant")}
        free = true("nothing", r)
        for i, at in get("item_on"):
            if at != s or not free or not true("clear", i):
                continue
            found.add(f"Pick up {i} from {s} using {r}")
            if true("isstove", s) and true("iscookable", i) and not true("iscooking", i):
                found.add(f"Cook {i} on {s} using {r}")
            if true("isboard", s) and true("iscuttable", i):
                found.add(f"Cut {i} on {s} using {r}")
            if true("isfryer", s) and true("isfryable", i):
                found.add(f"Fry {i} on {s} using {r}")
        for i, j in get("atop"):
            if free and true("clear", i) and true("item_at", i, s) and true("item_at", j, s):
                found.add(f"Unstack {i} from {j} using {r}")
        for _, i in get("has_item"):
            if true("station_empty", s):
                found.add(f"Place {i} on {s} using {r}")
            for j, at in get("item_at"):
                if at == s and true("clear", j):
                    found.add(f"Stack {i} on top of {j} using {r}")
            for m, c in get("in"):
                here = true("ispot", c) and true("container_at", c, s)
                if here and not true("addedto", i, m):
                    found.add(f"Add {i} into {c} using {r}")
        for c, at in get("container_at"):
            if at != s:
                continue
            filled = any(inside == c for _, inside in get("in"))
            if free:
                found.add(f"Pick up {c} from {s} using {r}")
                if true("ispot", c) and true("issink", s) and true("container_empty", c):
                    found.add(f"Fill {c} with water from {s} using {r}")
                if true("ispot", c) and true("isstove", s) and filled:
                    found.add(f"Boil {c}'s contents on {s} using {r}")
            for _, pot in get("has_container"):
                full = true("ispot", pot) and any(inside == pot for _, inside in get("in"))
                if full and true("isbowl", c) and true("container_empty", c):
                    found.add(f"Fill {c} with {pot}'s contents using {r}")
        for _, c in get("has_container"):
            if true("station_empty", s):
                found.add(f"Place {c} on {s} using {r}")
    return found


@pytest.mark.parametrize("case", WALKS, ids=str)
def test_valid_actions_are_those_of_the_rules(case):
    for kitchen, state, _, _ in walk(case):
        texts = [action.text for action in kitchen.valid_actions(state)]
        assert len(set(texts)) == len(texts)
        assert set(texts) == list_valid_actions(list_predicates(kitchen, state))


@pytest.mark.parametrize("case", WALKS, ids=str)
def test_states_are_immutable_values(case):
    for kitchen, state, action, after in walk(case, steps=100):
        before = hash(state), list_predicates(kitchen, state)
        assert kitchen.step(state, action) == after
        assert (hash(state), list_predicates(kitchen, state)) == before
        assert _is_frozen(after)


def _is_frozen(value):
    if isinstance(value, tuple | frozenset):
        return all(_is_frozen(part) for part in value)
    return isinstance(value, int)


@pytest.mark.parametrize("case", WALKS, ids=str)
def test_nothing_appears_or_disappears(case):
    for kitchen, _, _, state in walk(case):
        facts = list_predicates(kitchen, state)
        assert len(set(facts)) == len(facts)
        for item in kitchen.items:
            places = [
                fact
                for fact in facts
                if fact.startswith((f"item_at({item},", f"addedto({item},"))
                or fact == f"has_item(robot1,{item})"
            ]
            assert len(places) == 1, places
        assert sum(fact.startswith(("nothing(", "has_")) for fact in facts) == 1
        assert sum(fact.startswith("loc(") for fact in facts) == 1


@pytest.mark.parametrize("case", WALKS, ids=str)
def test_inverse_pairs_restore_the_kitchen(case):
    """Pick up and place, stack and unstack, move there and back, while no timer runs."""
    inverses = [
        (r"Pick up (\w+) from (\w+) using robot1", r"Place \1 on \2 using robot1"),
        (r"Place (\w+) on (\w+) using robot1", r"Pick up \1 from \2 using robot1"),
        (r"Stack (\w+) on top of (\w+) using robot1", r"Unstack \1 from \2 using robot1"),
        (r"Unstack (\w+) from (\w+) using robot1", r"Stack \1 on top of \2 using robot1"),
        (r"Move robot1 from (\w+) to (\w+)", r"Move robot1 from \2 to \1"),
    ]
    seen = set()
    for kitchen, state, _, _ in walk(case, steps=100):
        if state.effects:
            continue
        for action in kitchen.valid_actions(state):
            for pattern, inverse in inverses:
                if not re.fullmatch(pattern, action.text):
                    continue
                after = kitchen.step(state, action)
                back = kitchen.find_action(after, re.sub(pattern, inverse, action.text))
                assert back is not None and kitchen.step(after, back) == state
                seen.add(pattern)
    assert len(seen) >= 3


COOKING = [("patty", 0, "iscookable"), ("patty", 1, "iscookable")]


def test_an_item_is_cooked_on_the_third_step_after_cook():
    kitchen = build(["stove", "stove"], COOKING)
    state = run(kitchen, "Cook patty1 on stove1")
    for _ in range(2):
        assert holds(kitchen, state, "iscooking(patty1)")
        state = run(kitchen, "Do nothing", state=state)
        assert not holds(kitchen, state, "iscooked(patty1)")
    state = run(kitchen, "Do nothing", state=state)
    assert holds(kitchen, state, "iscooked(patty1)")
    assert not holds(kitchen, state, "iscooking(patty1)")
    assert not state.effects


def test_taking_the_item_off_pauses_and_putting_it_back_resumes_cooking():
    kitchen = build(["stove", "table"], COOKING[:1])
    state = run(kitchen, "Cook patty1 on stove1", "Pick up patty1 from stove1")
    assert not holds(kitchen, state, "iscooking(patty1)")
    state = run(kitchen, "Do nothing", "Do nothing", "Do nothing", state=state)
    assert not holds(kitchen, state, "iscooked(patty1)")
    state = run(kitchen, "Place patty1 on stove1", state=state)
    assert holds(kitchen, state, "iscooking(patty1)")
    state = run(kitchen, "Do nothing", state=state)
    assert not holds(kitchen, state, "iscooked(patty1)")
    state = run(kitchen, "Do nothing", state=state)
    assert holds(kitchen, state, "iscooked(patty1)")


def test_a_second_stove_starts_a_second_timer():
    kitchen = build(["stove", "stove"], COOKING[:1])
    state = run(
        kitchen,
        "Cook patty1 on stove1",
        "Do nothing",
        "Pick up patty1 from stove1",
        "stove1 -> stove2",
        "Place patty1 on stove2",
    )
    assert not holds(kitchen, state, "iscooking(patty1)")
    state = run(kitchen, "Cook patty1 on stove2", "Do nothing", "Do nothing", state=state)
    assert not holds(kitchen, state, "iscooked(patty1)")
    assert holds(kitchen, run(kitchen, "Do nothing", state=state), "iscooked(patty1)")


def test_an_effect_that_completes_costs_the_next_one_its_update():
    kitchen = build(["stove", "stove"], COOKING)
    alone = run(kitchen, "stove1 -> stove2", "Cook patty2 on stove2", *["Do nothing"] * 3)
    assert holds(kitchen, alone, "iscooked(patty2)")
    start = ("Cook patty1 on stove1", "stove1 -> stove2", "Cook patty2 on stove2")
    state = run(kitchen, *start, *["Do nothing"] * 3)
    assert holds(kitchen, state, "iscooked(patty1)")
    assert not holds(kitchen, state, "iscooked(patty2)")
    assert holds(kitchen, run(kitchen, "Do nothing", state=state), "iscooked(patty2)")


def test_the_third_cut_counts_and_a_cut_potato_can_be_fried():
    items = [("potato", 0, "iscuttable", "isfryableifcut"), ("lettuce", 1, "iscuttable")]
    kitchen = build(["board", "board", "fryer"], items)
    state = run(kitchen, "Cut potato1 on board1", "Do nothing", "Cut potato1 on board1")
    assert not holds(kitchen, state, "iscut(potato1)")
    state = run(kitchen, "Cut potato1 on board1", state=state)
    assert holds(kitchen, state, "iscut(potato1)", "isfryable(potato1)")
    state = run(
        kitchen,
        "Pick up potato1 from board1",
        "board1 -> fryer1",
        "Place potato1 on fryer1",
        "Fry potato1 on fryer1",
        "Do nothing",
        "Do nothing",
        state=state,
    )
    assert not holds(kitchen, state, "isfried(potato1)")
    assert holds(kitchen, run(kitchen, "Do nothing", state=state), "isfried(potato1)")
    state = run(kitchen, "board1 -> board2", *["Cut lettuce1 on board2"] * 3)
    assert holds(kitchen, state, "iscut(lettuce1)")
    assert not holds(kitchen, state, "isfryable(lettuce1)")


def test_soup_from_the_tap_to_the_bowl():
    goal = [
        ("in", ["water", "bowl"], [1, 2]),
        ("addedto", ["potato", "water"], [3, 1]),
        ("isboiling", ["water"], [1]),
    ]
    items, containers = [("potato", 3)], [("pot", 0), ("bowl", 2)]
    kitchen = build(["sink", "stove", "table", "table"], items, containers, goal)
    state = run(kitchen, "Fill pot1 with water from sink1", "Do nothing", "Do nothing")
    assert holds(kitchen, state, "container_empty(pot1)")
    state = run(kitchen, "Do nothing", state=state)
    assert holds(kitchen, state, "in(water1,pot1)", "iswater(water1)")
    state = run(
        kitchen,
        "Pick up pot1 from sink1",
        "sink1 -> stove1",
        "Place pot1 on stove1",
        "Boil pot1's contents on stove1",
        "stove1 -> table2",
        "Pick up potato1 from table2",
        state=state,
    )
    assert not holds(kitchen, state, "isboiling(water1)")
    state = run(kitchen, "table2 -> stove1", "Add potato1 into pot1", state=state)
    assert holds(kitchen, state, "isboiling(water1)", "addedto(potato1,water1)", "nothing(robot1)")
    assert not kitchen.is_goal(state)
    state = run(kitchen, "Pick up pot1 from stove1", "stove1 -> table1", state=state)
    state = run(kitchen, "Fill bowl1 with pot1's contents", state=state)
    assert kitchen.is_goal(state)


def test_objects_are_numbered_by_place():
    data = TEMPLATES["double_cheese_burger"].to_json()
    data["stations"].reverse()
    kitchen = Kitchen(parse_layout(data, "test"))
    assert kitchen.stations == ("table1", "table2", "table3", "table4")
    first = list_predicates(kitchen, kitchen.initial)
    original = Kitchen(TEMPLATES["double_cheese_burger"])
    assert first == list_predicates(original, original.initial)


@pytest.mark.parametrize("bottom, top", [(1, 2), (2, 1)])
def test_any_object_of_the_kind_serves_the_goal(bottom, top):
    goal = [
        ("item_on", ["bread", "table"], [1, 2]),
        ("atop", ["cheese", "bread"], [3, 1]),
        ("atop", ["bread", "cheese"], [4, 3]),
    ]
    kitchen = build(["table"] * 3, [("bread", 0), ("bread", 1), ("cheese", 2)], goal=goal)
    state = run(
        kitchen,
        "table1 -> table3",
        "Pick up cheese1 from table3",
        f"table3 -> table{bottom}",
        f"Stack cheese1 on top of bread{bottom}",
        f"table{bottom} -> table{top}",
        f"Pick up bread{top} from table{top}",
        f"table{top} -> table{bottom}",
    )
    assert not kitchen.is_goal(state)
    assert kitchen.is_goal(run(kitchen, f"Stack bread{top} on top of cheese1", state=state))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "do nothing",
        "Do nothing.",
        "Pick up patty1 from stove2 using robot1",
        "Move robot1 from stove1 to stove1",
        "Move robot1 from stove2 to stove1",
        "Cook patty9 on stove1 using robot1",
    ],
)
def test_an_invalid_reply_leaves_the_state_as_it_is(text):
    kitchen = build(["stove", "stove"], COOKING)
    cooking = run(kitchen, "Cook patty1 on stove1")
    assert kitchen.find_action(cooking, text) is None
    (first, valid), (second, invalid) = kitchen.replay(["Cook patty1 on stove1 using robot1", text])
    assert (valid, invalid) == (True, False)
    assert first == second == cooking


def test_a_robot_that_faces_no_station_can_only_wait():
    data = TEMPLATES["burger"].to_json()
    data["players"][0]["direction"] = [1, 0]
    kitchen = Kitchen(parse_layout(data, "test"))
    assert [action.text for action in kitchen.valid_actions(kitchen.initial)] == ["Do nothing"]
    assert run(kitchen, "Do nothing") == kitchen.initial
