"""Layout files: every refusal is one sentence with source, key and fix; hashes are content."""

import copy
import json
from itertools import islice

import pytest

from kitchens import TEMPLATES
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import MODES, list_different
from taskreason.environments.robotouille.simulator.layout_files import (
    LayoutError,
    load_layouts,
    parse_layout,
)
from taskreason.environments.robotouille.simulator.observation import describe_goal

BURGER = TEMPLATES["burger"].to_json()
SANDWICH = TEMPLATES["cheese_sandwich"].to_json()


def changed(path, value, base=BURGER):
    """A copy of a layout with the entry at `path` set, or removed when the value is None."""
    data = copy.deepcopy(base)
    *parents, last = path
    target = data
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    elif isinstance(last, int) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return data


POT = {"name": "pot", "x": 0, "y": 1}
ITEM = {"name": "bread", "x": 0, "y": 2, "stack-level": 0}
REFUSED = {
    "not an object": ([], "layout"),
    "no width": (changed(["width"], None), "width"),
    "width as text": (changed(["width"], "5"), "width"),
    "height as a truth value": (changed(["height"], True), "height"),
    "stations not a list": (changed(["stations"], {}), "stations"),
    "no stations": (changed(["stations"], []), "stations"),
    "a station that is no object": (changed(["stations", 0], "table"), "stations[0]"),
    "unknown station kind": (changed(["stations", 1, "name"], "tabel"), "stations[1].name"),
    "station outside the grid": (changed(["stations", 1, "x"], 5), "stations[1].x"),
    "station at half a cell": (changed(["stations", 1, "x"], 0.5), "stations[1].x"),
    "unknown key": (changed(["stations", 1, "z"], 1), "stations[1].z"),
    "two stations on one cell": (changed(["stations", 1], BURGER["stations"][0]), "stations[1]"),
    "unknown item kind": (changed(["items", 0, "name"], "ham"), "items[0].name"),
    "unhashable item kind": (changed(["items", 0, "name"], ["ham"]), "items[0].name"),
    "item in mid-air": (changed(["items", 0, "x"], 4), "items[0]"),
    "no stack level": (changed(["items", 0, "stack-level"], None), "items[0].stack-level"),
    "negative stack level": (changed(["items", 0, "stack-level"], -1), "items[0].stack-level"),
    "one stack level twice": (changed(["items", 3], ITEM | {"y": 1}), "stack-level"),
    "unknown item predicate": (
        changed(["items", 2, "predicates"], ["israw"]),
        "items[2].predicates[0]",
    ),
    "no player": (changed(["players"], []), "players"),
    "two players": (changed(["players", 1], BURGER["players"][0]), "players"),
    "unknown player": (changed(["players", 0, "name"], "cook"), "players[0].name"),
    "slanted direction": (changed(["players", 0, "direction"], [1, 1]), "players[0].direction"),
    "direction as text": (changed(["players", 0, "direction"], "up"), "players[0].direction"),
    "player on a station": (changed(["players", 0, "y"], 1), "players[0]"),
    "two things in the hand": (
        changed(["items", 3], ITEM) | {"containers": [POT | {"y": 2}]},
        "containers[0]",
    ),
    "two items in the hand": (
        changed(["items"], [*BURGER["items"], ITEM, ITEM | {"stack-level": 1}]),
        "items",
    ),
    "container on an item": (changed(["containers"], [POT]), "containers[0]"),
    "container in mid-air": (changed(["containers"], [POT | {"x": 4}]), "containers[0]"),
    "meal outside a container": (changed(["meals"], [POT | {"name": "water"}]), "meals[0]"),
    "no goal": (changed(["goal"], []), "goal"),
    "goal id of no object": (
        changed(["goal", 0, "ids"], ["a", 2]),
        "goal[0].ids[0]",
    ),
    "goal id of another kind": (
        changed(["goal", 0, "ids", 0], "A", changed(["stations", 0, "id"], "A")),
        "goal[0].args[0]",
    ),
    "one id for two objects": (
        changed(["items", 0, "id"], "A", changed(["stations", 0, "id"], "A")),
        "items[0].id",
    ),
    "an id that is a number": (changed(["stations", 0, "id"], "7"), "stations[0].id"),
    "an id that is no text": (changed(["stations", 0, "id"], 7), "stations[0].id"),
    "unknown goal predicate": (changed(["goal", 0, "predicate"], "on"), "goal[0].predicate"),
    "too few goal arguments": (changed(["goal", 0, "args"], ["patty"]), "goal[0].args"),
    "too many goal ids": (changed(["goal", 0, "ids"], [1, 2, 3]), "goal[0].ids"),
    "goal argument of the wrong sort": (
        changed(["goal", 0, "args"], ["table", "table"]),
        "goal[0].args[0]",
    ),
    "goal id that is no number": (changed(["goal", 0, "ids"], ["a", 2]), "goal[0].ids[0]"),
    "one id for two kinds": (changed(["goal", 2, "ids"], [3, 4]), "goal[3].ids[0]"),
    "one id for station and item": (changed(["goal", 1, "ids"], [2]), "goal[1].ids[0]"),
    "one object twice": (changed(["goal", 2, "ids"], [3, 3], SANDWICH), "goal[2].ids"),
    "too few objects": (changed(["items", 1], None), "goal"),
    "too few of a repeated kind": (changed(["items", 1], None, SANDWICH), "goal"),
    "cooking without a stove": (changed(["items", 2, "predicates"], ["iscookable"]), "goal"),
    "cooking of an item that can't": (changed(["items", 2, "predicates"], []), "goal"),
    "water without a sink": (
        changed(["goal", 4], {"predicate": "isboiling", "args": ["water"], "ids": [9]}),
        "goal",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_is_one_sentence_with_source_and_key(case):
    data, key = REFUSED[case]
    with pytest.raises(LayoutError) as refusal:
        parse_layout(data, "kitchen.json")
    message = str(refusal.value)
    assert message.startswith("kitchen.json: ")
    assert key in message
    assert message.endswith(".") and "\n" not in message


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_load_and_survive_a_round_trip(name):
    template = TEMPLATES[name]
    again = parse_layout(template.to_json(), "copy")
    assert again == template and again.hash == template.hash
    assert len(template.hash) == 16 and int(template.hash, 16) >= 0


def test_hash_ignores_order_wording_and_gaps():
    data = copy.deepcopy(SANDWICH)
    for key in ("stations", "items", "goal"):
        data[key].reverse()
    data |= {"version": "9", "config": {}, "goal_description": "Lunch.", "unknown": 1}
    data["items"][0]["stack-level"] = 3
    assert parse_layout(data, "x").hash == parse_layout(SANDWICH, "x").hash


@pytest.mark.parametrize(
    "path, value",
    [
        (["stations", 3, "name"], "sink"),
        (["items", 2, "predicates"], ["iscuttable"]),
        (["items", 2], {"name": "cheese", "x": 0, "y": 1, "stack-level": 1}),
        (["players", 0, "direction"], [1, 0]),
        (["goal", 2], None),
    ],
)
def test_hash_tells_kitchens_apart(path, value):
    other = parse_layout(changed(path, value, SANDWICH), "x")
    assert other.hash != parse_layout(SANDWICH, "x").hash


@pytest.mark.parametrize(
    "path, value",
    [(["stations", 3, "x"], 4), (["players", 0, "direction"], [0, 1]), (["width"], 6)],
)
def test_hash_is_of_what_a_prompt_can_show(path, value):
    """Cells are no part of it, nor which of two tables with one bread each the robot is at."""
    other = changed(path, value, SANDWICH)
    assert parse_layout(other, "x").hash == parse_layout(SANDWICH, "x").hash


def test_held_item_digit_ids_and_robot_facing_nothing_are_allowed():
    data = changed(["items", 1], BURGER["items"][1] | {"x": 0, "y": 2})
    data["goal"][0]["ids"] = ["1", "2"]
    data["players"][0]["direction"] = [1, 0]
    layout = parse_layout(data, "x")
    assert layout.goal[0].ids == (1, 2)
    assert (layout.items[1].x, layout.items[1].y) == (layout.robot.x, layout.robot.y)


def test_replaying_needs_no_reachable_goal():
    data = changed(["items", 1], None)
    assert parse_layout(data, "x", check_goal=False).goal


def test_load_layouts_reads_files_lines_and_folders(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps(BURGER, indent=1))
    (tmp_path / "a.json").write_text(json.dumps(SANDWICH))
    lines = tmp_path / "both.jsonl"
    lines.write_text(f"{json.dumps(BURGER)}\n\n{json.dumps({'layout': SANDWICH, 'seed': 1})}\n")
    hashes = [parse_layout(data, "x").hash for data in (BURGER, SANDWICH)]
    assert [layout.hash for layout in load_layouts(tmp_path / "b.json")] == hashes[:1]
    assert [layout.hash for layout in load_layouts(lines)] == hashes
    assert [layout.hash for layout in load_layouts(tmp_path)] == hashes[::-1]
    assert load_layouts(lines)[1].source == f"{lines}:3"


@pytest.mark.parametrize(
    "name, content, names",
    [
        ("missing.json", None, "missing.json"),
        ("empty.jsonl", "", "empty.jsonl"),
        ("torn.json", '{"width": 5,', "torn.json"),
        ("torn.jsonl", json.dumps(BURGER) + '\n{"width": 5', "torn.jsonl:2"),
        ("bytes.json", b"\xff\xfe", "bytes.json"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content, names):
    if content is not None:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as refusal:
        load_layouts(tmp_path / name)
    assert names in str(refusal.value) and "\n" not in str(refusal.value)


def two_tables(goal, **changes):
    """A robot that holds an item at the first of two tables; the second has the id A."""
    stations = [{"name": "station", "x": 0, "y": 1}, {"name": "station", "x": 2, "y": 1, "id": "A"}]
    held = {"name": "item", "x": 0, "y": 0, "stack-level": 0, "id": "a"}
    robot = {"name": "robot", "x": 0, "y": 0, "direction": [0, 1]}
    layout = {"width": 3, "height": 3, "stations": stations, "items": [held], "players": [robot]}
    return layout | {"goal_description": "", "goal": goal} | changes


def term(predicate, args, ids):
    return {"predicate": predicate, "args": args, "ids": ids}


@pytest.mark.parametrize(
    ("goal", "actions"),
    [
        ([term("loc", ["robot", "station"], [1, "A"])], ["Move robot1 from table1 to table2"]),
        (
            [term("item_on", ["item", "station"], ["a", "A"])],
            ["Move robot1 from table1 to table2", "Place bread1 on table2 using robot1"],
        ),
        ([term("item_on", ["bread", "table"], [1, 2])], ["Place bread1 on table1 using robot1"]),
        (
            # A number may mean the object that an id means, too.
            [term("item_on", ["item", "station"], ["a", "A"]), term("clear", ["bread"], [1])],
            ["Move robot1 from table1 to table2", "Place bread1 on table2 using robot1"],
        ),
    ],
)
def test_ids_of_text_mean_one_object_and_open_kinds_are_the_plainest(goal, actions):
    goal = copy.deepcopy(goal)
    kitchen = Kitchen(parse_layout(two_tables(goal), "x"))
    assert [action.text for action in Planner(kitchen).plan()] == actions
    assert "table2" in describe_goal(kitchen) or "A" not in str(goal)
    again = parse_layout(kitchen.layout.to_json(), "copy")
    assert again == kitchen.layout and again.hash == kitchen.layout.hash


def test_which_object_the_goal_means_tells_kitchens_apart():
    goal = [term("item_on", ["item", "station"], ["a", "A"])]
    first = parse_layout(two_tables(goal), "x")
    stations = [{"name": "station", "x": 0, "y": 1, "id": "A"}, {"name": "station", "x": 2, "y": 1}]
    second = parse_layout(two_tables(goal, stations=stations), "x")
    assert first.hash != second.hash
    assert len(Planner(Kitchen(second)).plan()) == 1
    unnamed = changed(["stations", 0, "id"], "unused", SANDWICH)
    assert parse_layout(unnamed, "x").hash == parse_layout(SANDWICH, "x").hash


@pytest.mark.parametrize("mode", MODES)
def test_varied_kitchens_keep_the_objects_that_the_goal_names(mode):
    goal = [term("item_on", ["item", "station"], ["a", "A"])]
    held = {"name": "item", "x": 0, "y": 1, "stack-level": 0, "id": "a"}
    template = parse_layout(two_tables(goal, items=[held], width=6, height=6), "x")
    for layout in islice(list_different(template, 0, mode), 20):
        kitchen = Kitchen(parse_layout(layout.to_json(), "y"))
        state = kitchen.initial
        for action in Planner(kitchen).plan():
            state = kitchen.step(state, action)
        item, station = (
            next(t for t in part if t.id == key)
            for part, key in ((layout.items, "a"), (layout.stations, "A"))
        )
        place = kitchen.places.index(station.cell)
        (on,) = state.stacks[place][:1]
        assert kitchen.item_kinds[on] == item.name == "bread"


def test_a_byte_order_mark_is_no_part_of_a_layout(tmp_path):
    marked = b"\xef\xbb\xbf" + json.dumps(BURGER).encode()
    for name in ("one.json", "one.jsonl"):
        (tmp_path / name).write_bytes(marked)
        assert load_layouts(tmp_path / name) == [parse_layout(BURGER, "x")]
    (tmp_path / "other.json").write_bytes(json.dumps(BURGER).encode("utf-16"))
    with pytest.raises(LayoutError, match="other.json: the layout file cannot be read"):
        load_layouts(tmp_path / "other.json")
    text = json.dumps(BURGER | {"goal_description": "one\u2028two\x85three"}, ensure_ascii=False)
    (tmp_path / "lines.jsonl").write_text(f"{text}\n{text}\n", encoding="utf-8")
    assert len(load_layouts(tmp_path / "lines.jsonl")) == 2
