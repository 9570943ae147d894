"""Kitchens and states that several test modules walk through."""

import json
import random
from collections import deque
from pathlib import Path

from taskreason.environments import load_environment
from taskreason.environments.base import list_plan
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import TASKS, load_template
from taskreason.environments.robotouille.world import KitchenWorld
from taskreason.rollouts.episode import Start

ENV = load_environment("robotouille")
TEMPLATES = {name: load_template(task) for name, task in TASKS.items()}

SOUP = {
    "width": 4,
    "height": 2,
    "stations": [
        {"name": kind, "x": x, "y": 0} for x, kind in enumerate(["sink", "stove", "board", "table"])
    ],
    "items": [
        {
            "name": "potato",
            "x": 2,
            "y": 0,
            "stack-level": 0,
            "predicates": ["iscuttable", "isfryableifcut"],
        },
        {"name": "patty", "x": 1, "y": 0, "stack-level": 0, "predicates": ["iscookable"]},
    ],
    "players": [{"name": "robot", "x": 0, "y": 1, "direction": [0, -1]}],
    "containers": [{"name": "pot", "x": 0, "y": 0}, {"name": "bowl", "x": 3, "y": 0}],
    "goal_description": "Soup.",
    "goal": [
        {"predicate": "in", "args": ["water", "bowl"], "ids": [1, 2]},
        {"predicate": "addedto", "args": ["potato", "water"], "ids": [3, 1]},
    ],
}
TOAST = {
    "version": "1.0.0",
    "width": 4,
    "height": 4,
    "config": {},
    "stations": [{"name": "table", "x": 0, "y": y} for y in range(3)],
    "items": [
        {"name": "bread", "x": 0, "y": 0, "stack-level": 0},
        {"name": "cheese", "x": 0, "y": 1, "stack-level": 0},
    ],
    "players": [{"name": "robot", "x": 1, "y": 1, "direction": [-1, 0]}],
    "goal_description": "Cheese on bread.",
    "goal": [
        {"predicate": "item_on", "args": ["bread", "table"], "ids": [1, 2]},
        {"predicate": "atop", "args": ["cheese", "bread"], "ids": [3, 1]},
    ],
}
"""A task of one's own. Three steps: pick up the cheese, go to the bread, stack."""


def write_layout(folder, name="cheese_toast", **changes):
    """The layout file of a task of one's own."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(TOAST | changes))
    return path


def make_world(task, seed, mode="scattered"):
    """The kitchen of one seed, as the library knows it."""
    return ENV.draw(TASKS[task], seed, mode)


def make_kitchen(task, seed, mode="scattered"):
    """The same, as the simulator knows it."""
    return make_world(task, seed, mode).kitchen


def make_plan(world):
    """The expert's plan from the start, as pairs of a state and an action's text."""
    return list_plan(world, ENV.teacher(world))


def make_start(task, seed, left):
    """A kitchen that needs `left` more steps."""
    world = make_world(task, seed)
    world.initial, _ = make_plan(world)[-left]
    return Start(world, task, left)


def shortest_plan(kitchen):
    """A shortest plan's actions; None where there is none."""
    return Planner(kitchen).plan()


def walk(kitchen, seed, steps):
    """States of a seeded random walk that avoids idling and wandering, the first one included."""
    rng, state = random.Random(seed), kitchen.initial
    yield state
    for _ in range(steps):
        actions = kitchen.valid_actions(state)
        busy = [a for a in actions if not a.text.startswith(("Move", "Do nothing"))]
        state = kitchen.step(state, rng.choice(busy if busy and rng.random() < 0.7 else actions))
        yield state


def soup_kitchen():
    """A kitchen with every kind of timer, container and meal."""
    return Kitchen(parse_layout(SOUP, "soup"))


def soup_world():
    """The same, as the library knows it."""
    return KitchenWorld(soup_kitchen())


def read_jsonl(path):
    """The objects of a JSON-lines file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def explore(kitchen):
    """Every reachable state with its successors by action, and the distances to the goal."""
    successors, queue = {}, deque([kitchen.initial])
    while queue:
        state = queue.popleft()
        if state in successors:
            continue
        successors[state] = {a: kitchen.step(state, a) for a in kitchen.valid_actions(state)}
        queue.extend(successors[state].values())
    predecessors = {state: [] for state in successors}
    for state, after in successors.items():
        for other in after.values():
            predecessors[other].append(state)
    distance = {state: 0 for state in successors if kitchen.is_goal(state)}
    queue = deque(distance)
    while queue:
        state = queue.popleft()
        for before in predecessors[state]:
            if before not in distance:
                distance[before] = distance[state] + 1
                queue.append(before)
    return successors, distance
