"""Tasks: what is refused, what is proposed, what two of them share, and those that come with the project."""

import json
import re
from dataclasses import replace

import pytest
import yaml

from kitchens import ENV, TOAST, make_world, write_layout
from taskreason.durability.errors import UserError
from taskreason.environments.base import TaskSpec, list_plan
from taskreason.environments.robotouille.simulator.layout_files import load_layouts, parse_layout
from taskreason.environments.robotouille.simulator.observation import list_predicates
from taskreason.environments.robotouille.tasks import (
    DATA,
    PUBLISHED,
    TASKS,
    list_orders,
    propose,
)

CUT = ("lettuce_sandwich", "lettuce_tomato_sandwich")
POT = {"containers": [{"name": "pot", "x": 0, "y": 2}]}
FAR = {"players": [{"name": "robot", "x": 2, "y": 1, "direction": [1, 0]}]}
DONE = {"goal": TOAST["goal"][:1]}
TALL = [{"name": "bread", "x": 0, "y": 0, "stack-level": n} for n in range(8)]
CROWDED = {"width": 2, "height": 2, "stations": TOAST["stations"][:2]}


def own_task(path, bound=6):
    return TaskSpec("cheese_toast", 9, bound, str(path))


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"goal": []}, "goal is empty"),
        ({"items": TOAST["items"][:1]}, "goal needs 1 cheese"),
        (FAR, "the goal can't be reached from this kitchen"),
        (DONE, "the goal is reached before the first step"),
        (POT, "containers can't be varied"),
        (CROWDED | {"items": TOAST["items"] + TALL[1:]}, "leave no room for the robot"),
        ({"extra": 1, "stations": []}, "stations is empty"),
    ],
)
def test_a_layout_that_no_run_could_use_is_refused_in_one_sentence(tmp_path, changes, words):
    path = write_layout(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        ENV.check_task(own_task(path), "scattered")
    message = str(caught.value)
    assert message.startswith(str(path)) and words in message and "\n" not in message


def test_files_that_are_missing_no_json_or_several_layouts_are_refused(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "several.jsonl").write_text(f"{json.dumps(TOAST)}\n" * 2)
    for name, words in {
        "missing.json": "No such file",
        "broken.json": "not valid JSON",
        "several.jsonl": "holds 2 layouts; give a file with one",
    }.items():
        with pytest.raises(UserError, match=words):
            ENV.check_task(own_task(tmp_path / name), "scattered")


def test_a_bound_below_the_shortest_plan_is_refused(tmp_path):
    task = own_task(write_layout(tmp_path), bound=3)
    ENV.check_task(task, "scattered")
    with pytest.raises(UserError, match="^bound is 2, below the 3 steps .* raise it"):
        ENV.check_task(replace(task, bound=2), "scattered")


@pytest.mark.parametrize("mode", ENV.modes)
def test_the_tasks_of_the_project_pass_their_own_check(mode):
    for task in TASKS.values():
        ENV.check_task(task, mode)


def test_a_relative_path_is_taken_from_here_or_from_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_layout(tmp_path)
    assert ENV.draw(own_task("cheese_toast.json"), 1).kitchen.layout.width == 4
    file = "workflow/taskreason/environments/robotouille/data/layouts/burger.json"
    burger = TaskSpec("mine", 9, 9, file)
    assert ENV.draw(burger, 1).id == ENV.draw(TASKS["burger"], 1).id


def test_the_fingerprint_changes_with_the_layout_alone(tmp_path):
    other = write_layout(tmp_path, "other", goal_description="Bread, and cheese on it.")
    prints = [ENV.fingerprint(own_task(p)) for p in (write_layout(tmp_path), other)]
    assert prints[0] != prints[1] and all(re.fullmatch("[0-9a-f]{16}", p) for p in prints)
    burger = TASKS["burger"]
    assert ENV.fingerprint(burger) == ENV.fingerprint(replace(burger, timeout=99))


def test_what_is_proposed_is_a_task_that_passes_the_check(tmp_path):
    path = write_layout(tmp_path)
    text = propose(path, "scattered", 1)
    assert text.startswith("The shortest plan takes 3 steps")
    entry = yaml.safe_load(text[text.index("tasks:") :])
    assert entry["tasks"] == ["cheese_toast"]
    own = entry["task_settings"]["cheese_toast"]
    assert own["layout"] == str(path) and own["timeout"] == -(-3 * own["bound"] // 2)
    task = TaskSpec("cheese_toast", own["timeout"], own["bound"], own["layout"])
    ENV.check_task(task, "scattered")
    lengths = []
    for seed in range(1, 101):
        world = ENV.draw(task, seed, "scattered")
        lengths.append(ENV.teacher(world).distance(world.initial))
    assert sum(steps <= task.bound for steps in lengths) >= 50


@pytest.mark.parametrize("name", ["burger", "Toast", "a__b", "9lives", "x-y"])
def test_a_file_whose_name_no_task_can_have_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=f"'{name}' can't be the name of a task of one's own"):
        propose(write_layout(tmp_path, name), "scattered", 1)


# ------------------------------------------------------------ what tasks share


def test_what_tasks_share_is_read_off_their_goals():
    orders = [list_orders(TASKS[name]) for name in PUBLISHED]
    assert [len(order[0]) for order in orders] == [3, 3, 4, 6]
    assert [len(order) for order in orders] == [1, 1, 2, 1]

    def compare(trained, wanted):
        return ENV.compare_tasks(TASKS[trained], TASKS[wanted])

    shared = compare("burger", "cheese_burger")
    assert shared == {"prefix": 0.5, "skills": 0.75, "length": 0.75}
    assert compare("cheese_sandwich", "burger")["prefix"] == 0
    assert compare("double_cheese_burger", "cheese_burger")["skills"] == 1
    assert compare("double_cheese_burger", "burger")["length"] == 1


def test_a_goal_that_is_not_one_stack_is_named(tmp_path):
    goal = [{"predicate": "nothing", "args": ["robot"], "ids": [1]}]
    task = own_task(write_layout(tmp_path, goal=goal))
    with pytest.raises(UserError, match="cheese_toast.json: the goal is not one stack"):
        ENV.compare_tasks(task, TASKS["burger"])


# ------------------------------------------------------------ the two in which something is cut


@pytest.mark.parametrize("name,fewest", [("lettuce_sandwich", 14), ("lettuce_tomato_sandwich", 24)])
def test_the_plan_of_the_own_kitchen_counts_up_by_hand(name, fewest):
    """A carry is four steps and a cut is three.

    The robot starts at the lowest bread. The lettuce and the tomato each go to the board, are cut and picked up there,
    and go on (4 + 3 + 3 steps); then the upper bread is carried.
    """
    assert fewest == 10 * (1 + ("tomato" in name)) + 4 == TASKS[name].bound
    ((world, task),) = ENV.read_worlds(DATA / "layouts" / f"{name}.json")
    assert task == name and ENV.teacher(world).distance(world.initial) == fewest


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
@pytest.mark.parametrize("name", CUT)
def test_plans_replay_to_a_sandwich(name, mode):
    """Read from the predicates alone: bread on a table, what is cut above it, bread on top."""
    filling = {kind for kind in ("lettuce", "tomato") if kind in name}
    for seed in range(4):
        world = make_world(name, seed, mode)
        state, before = world.initial, []
        for _, action in list_plan(world, ENV.teacher(world)):
            before.append(world.solved(state))
            state = world.step(state, action)
        assert world.solved(state) and not any(before)
        facts = set(list_predicates(world.kitchen, state))
        above = {b: a for a, b in re.findall(r"atop\((\w+),(\w+)\)", " ".join(facts))}
        bottoms = re.findall(r"item_on\((bread\d+),table\d+\)", " ".join(facts))
        stacks = []
        for item in bottoms:
            stack = [item]
            while stack[-1] in above:
                stack.append(above[stack[-1]])
            stacks.append(stack)
        assert any(
            stack[-1].startswith("bread")
            and filling
            <= {item.rstrip("0123456789") for item in stack[1:-1] if f"iscut({item})" in facts}
            for stack in stacks
            if len(stack) >= len(filling) + 2
        )


# ------------------------------------------------------------ the four with many parts

DISHES = {
    "lettuce_tomato_cheese_burger": ["bottombun patty cheese lettuce tomato topbun"],
    "two_lettuce_chicken_sandwiches": ["bread chicken lettuce bread"] * 2,
    "cheese_burger_and_chicken_sandwich": [
        "bottombun patty cheese onion topbun",
        "bread chicken lettuce tomato bread",
    ],
    "two_lettuce_tomato_burgers": ["bottombun patty lettuce tomato topbun"] * 2,
}
"""What has to lie on tables, the middle in any order."""


def list_stacks(world, state):
    """Every stack on a table from the bottom, kind by kind, read from the predicates alone; "raw" if not prepared."""
    facts = set(list_predicates(world.kitchen, state))
    above = {b: a for a, b in re.findall(r"atop\((\w+),(\w+)\)", " ".join(facts))}
    stacks = []
    for item in re.findall(r"item_on\((\w+),table\d+\)", " ".join(facts)):
        stack = [item]
        while stack[-1] in above:
            stack.append(above[stack[-1]])
        stacks.append([name_part(part, facts) for part in stack])
    return stacks


def name_part(item, facts):
    kind = item.rstrip("0123456789")
    ready = {"lettuce": "iscut", "tomato": "iscut", "onion": "iscut"}
    ready |= {"patty": "iscooked", "chicken": "iscooked"}
    return kind if kind not in ready or f"{ready[kind]}({item})" in facts else "raw"


def holds(stack, dish):
    """Whether a stack is a dish; further items between its parts do not matter."""
    bottom, *middle, top = dish.split()
    return (stack[0], stack[-1]) == (bottom, top) and set(middle) <= set(stack[1:-1])


@pytest.mark.parametrize("name", DISHES)
def test_plans_replay_to_every_dish_on_a_table_of_its_own(name):
    ((own, task),) = ENV.read_worlds(DATA / "layouts" / f"{name}.json")
    assert task == name and ENV.teacher(own).distance(own.initial) <= TASKS[name].bound
    for world in (own, make_world(name, 4, "scattered")):
        state, before = world.initial, []
        for _, action in list_plan(world, ENV.teacher(world)):
            before.append(world.solved(state))
            state = world.step(state, action)
        assert world.solved(state) and not any(before)
        stacks, dishes = list_stacks(world, state), DISHES[name]
        found = [{n for n, stack in enumerate(stacks) if holds(stack, dish)} for dish in dishes]
        assert all(found) and len(set.union(*found)) >= len(dishes)


def test_the_plan_of_the_largest_burger_counts_up_by_hand():
    """The top bun is taken off and put down (3), patty and cheese are carried (4 each).

    Lettuce and tomato go to the board, are cut and picked up there, and go on (4 + 3 + 3 each); then the top bun is
    carried back (4).
    """
    ((world, _),) = ENV.read_worlds(DATA / "layouts" / "lettuce_tomato_cheese_burger.json")
    assert ENV.teacher(world).distance(world.initial) == 3 + 2 * 4 + 2 * 10 + 4 == 35


def test_timeouts_are_half_as_long_again_as_the_benchmarks_bounds():
    assert all(task.timeout == -(-3 * task.bound // 2) for task in TASKS.values())


def test_the_worked_example_of_chat_prompts_is_one_of_them():
    """The docs say so: at the published scale, the lettuce sandwich is not unseen."""
    example = parse_layout(json.loads((DATA / "prompt" / "example.json").read_text()), "example")
    shipped = load_layouts(DATA / "layouts" / "lettuce_sandwich.json")[0]
    goals = [{(g.predicate, g.args) for g in layout.goal} for layout in (example, shipped)]
    assert goals[0] == goals[1] and example.hash != shipped.hash
