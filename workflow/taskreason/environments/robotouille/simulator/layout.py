"""One kitchen as frozen dataclasses: the static description that engine, generator and planner share.

`layout_files` reads it from the benchmark's JSON and refuses what can't be a kitchen.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class Thing:
    """A station, an item, a container, or a meal, which is in the container of its cell from the start.

    name: its kind. stack_level: of an item, 0 at the bottom. predicates: of an item or a meal.
    """

    name: str
    x: int
    y: int
    stack_level: int = 0
    predicates: tuple[str, ...] = ()

    def to_json(self, **more: int) -> dict:
        """The benchmark's own JSON, with further keys."""
        predicates = {"predicates": list(self.predicates)} if self.predicates else {}
        return {"name": self.name, "x": self.x, "y": self.y, **more, **predicates}


@dataclass(frozen=True)
class Robot:
    """The one robot, and where it looks."""

    x: int
    y: int
    direction: tuple[int, int]
    name: str = "robot"

    @property
    def faces(self) -> tuple[int, int]:
        """The cell in front of the robot; it is at the station there, if there is one."""
        return self.x + self.direction[0], self.y + self.direction[1]


@dataclass(frozen=True)
class GoalPredicate:
    """`predicate(args)` where equal ids are the same object and every id any object of its kind."""

    predicate: str
    args: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """One kitchen as its file describes it; object lists keep the file's order."""

    stations: tuple[Thing, ...]
    items: tuple[Thing, ...]
    robot: Robot
    containers: tuple[Thing, ...]
    meals: tuple[Thing, ...]
    goal: tuple[GoalPredicate, ...]
    goal_description: str
    width: int
    height: int
    source: str = field(default="layout", compare=False)

    @cached_property
    def hash(self) -> str:
        """16 hex digits that depend on the kitchen and its goal, not on the order of any list."""

        def list_sorted(things: Iterable, *keys: str) -> list[list]:
            return sorted([getattr(thing, key) for key in keys] for thing in things)

        content = {
            "size": [self.width, self.height],
            "stations": list_sorted(self.stations, "name", "x", "y"),
            "items": list_sorted(self.items, "name", "x", "y", "stack_level", "predicates"),
            "robot": [self.robot.x, self.robot.y, *self.robot.direction],
            "containers": list_sorted(self.containers, "name", "x", "y"),
            "meals": list_sorted(self.meals, "name", "x", "y", "predicates"),
            "goal": list_sorted(self.goal, "predicate", "args", "ids"),
        }
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict:
        """The benchmark's own JSON; `parse_layout` of it gives an equal layout."""
        robot = self.robot
        at = {"name": robot.name, "x": robot.x, "y": robot.y}
        return {
            "version": "1.0.0",
            "width": self.width,
            "height": self.height,
            "config": {"num_cuts": {"default": 3}, "cook_time": {"default": 3}},
            "stations": [station.to_json() for station in self.stations],
            "items": [item.to_json(**{"stack-level": item.stack_level}) for item in self.items],
            "players": [at | {"direction": list(robot.direction)}],
            "containers": [container.to_json() for container in self.containers],
            "meals": [meal.to_json() for meal in self.meals],
            "goal_description": self.goal_description,
            "goal": [
                {"predicate": g.predicate, "args": list(g.args), "ids": list(g.ids)}
                for g in self.goal
            ],
        }
