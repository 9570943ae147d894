"""One kitchen as frozen dataclasses: the static description that engine, generator and planner share.

`simulator.layout_files` reads it from the benchmark's JSON and refuses what can't be a kitchen.
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class StationSpec:
    name: str
    x: int
    y: int


@dataclass(frozen=True)
class ItemSpec:
    name: str
    x: int
    y: int
    stack_level: int  # 0 is the bottom of its stack
    predicates: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContainerSpec:
    name: str
    x: int
    y: int


@dataclass(frozen=True)
class MealSpec:
    """A meal that is in the container of its cell from the start."""

    name: str
    x: int
    y: int
    predicates: tuple[str, ...] = ()


@dataclass(frozen=True)
class RobotSpec:
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

    stations: tuple[StationSpec, ...]
    items: tuple[ItemSpec, ...]
    robot: RobotSpec
    containers: tuple[ContainerSpec, ...]
    meals: tuple[MealSpec, ...]
    goal: tuple[GoalPredicate, ...]
    goal_description: str
    width: int
    height: int
    source: str = field(default="layout", compare=False)

    @cached_property
    def hash(self) -> str:
        """16 hex digits that depend on the kitchen and its goal, not on the order of any list."""
        content = {
            "size": [self.width, self.height],
            "stations": sorted([s.name, s.x, s.y] for s in self.stations),
            "items": sorted([i.name, i.x, i.y, i.stack_level, i.predicates] for i in self.items),
            "robot": [self.robot.x, self.robot.y, *self.robot.direction],
            "containers": sorted([c.name, c.x, c.y] for c in self.containers),
            "meals": sorted([m.name, m.x, m.y, m.predicates] for m in self.meals),
            "goal": sorted([g.predicate, g.args, g.ids] for g in self.goal),
        }
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict:
        """The benchmark's own JSON; `parse_layout` of it gives an equal layout."""
        r = self.robot
        return {
            "version": "1.0.0",
            "width": self.width,
            "height": self.height,
            "config": {"num_cuts": {"default": 3}, "cook_time": {"default": 3}},
            "stations": [{"name": s.name, "x": s.x, "y": s.y} for s in self.stations],
            "items": [
                {"name": i.name, "x": i.x, "y": i.y, "stack-level": i.stack_level}
                | ({"predicates": list(i.predicates)} if i.predicates else {})
                for i in self.items
            ],
            "players": [{"name": r.name, "x": r.x, "y": r.y, "direction": list(r.direction)}],
            "containers": [{"name": c.name, "x": c.x, "y": c.y} for c in self.containers],
            "meals": [
                {"name": m.name, "x": m.x, "y": m.y}
                | ({"predicates": list(m.predicates)} if m.predicates else {})
                for m in self.meals
            ],
            "goal_description": self.goal_description,
            "goal": [
                {"predicate": g.predicate, "args": list(g.args), "ids": list(g.ids)}
                for g in self.goal
            ],
        }
