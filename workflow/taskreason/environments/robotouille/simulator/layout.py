"""One kitchen as frozen dataclasses: the static description that engine, generator and planner share.

`layout_files` reads it from the benchmark's JSON. What a well-typed layout can still get wrong is found here: where
things stand, and a goal out of reach.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from .domain import LAYOUT_FLAGS, PREPARATIONS

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class Thing:
    """A station, an item, a container, or a meal, which is in the container of its cell from the start.

    name: its kind. stack_level: of an item, 0 at the bottom. predicates: of an item or a meal. id: by which the goal
    means this thing and no other of its kind, if it does.
    """

    name: str
    x: int
    y: int
    stack_level: int = 0
    predicates: tuple[str, ...] = ()
    id: str = ""

    @property
    def cell(self) -> tuple[int, int]:
        """Where it is."""
        return self.x, self.y

    def to_json(self, **more: int) -> dict:
        """The benchmark's own JSON, with further keys."""
        if self.predicates:
            more["predicates"] = list(self.predicates)
        if self.id:
            more["id"] = self.id
        return {"name": self.name, "x": self.x, "y": self.y, **more}


@dataclass(frozen=True)
class Robot:
    """The one robot, and where it looks."""

    x: int
    y: int
    direction: tuple[int, int]
    name: str = "robot"
    cell = Thing.cell

    @property
    def faces(self) -> tuple[int, int]:
        """The cell in front of the robot; it is at the station there, if there is one."""
        return self.x + self.direction[0], self.y + self.direction[1]


@dataclass(frozen=True)
class GoalPredicate:
    """`predicate(args)` where equal ids are the same object: a number any one of its kind, text the one of that id."""

    predicate: str
    args: tuple[str, ...]
    ids: tuple[int | str, ...]


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
        """16 hex digits of all that a prompt can show, numbering aside: what is where, the robot, and the goal.

        Cells and the order of lists change nothing, since robots move from any station to any other in one step.
        """
        named = {key for term in self.goal for key in term.ids if isinstance(key, str)}
        held: dict[tuple[int, int], list] = defaultdict(list)
        items = sorted(self.items, key=lambda item: item.stack_level)
        for thing in chain(items, self.containers, self.meals):
            own = thing.id if thing.id in named else ""
            held[thing.cell].append([thing.name, sorted(thing.predicates), own])
        here = self.robot.faces
        places = (
            [s.name, s.cell == here, s.id if s.id in named else "", held[s.cell]]
            for s in self.stations
        )
        goal = sorted(
            ([g.predicate, g.args, g.ids] for g in self.goal),
            key=lambda term: (*term[:2], [(isinstance(key, str), key) for key in term[2]]),
        )
        content = [sorted(places), held[self.robot.cell], goal]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def list_things(self) -> Iterator[Thing]:
        """Stations, items, containers and meals."""
        return chain(self.stations, self.items, self.containers, self.meals)

    def to_json(self) -> dict:
        """The benchmark's own JSON; `parse_layout` of it gives an equal layout."""
        robot = {"name": self.robot.name, "x": self.robot.x, "y": self.robot.y}
        return {
            "version": "1.0.0",
            "width": self.width,
            "height": self.height,
            "config": {"num_cuts": {"default": 3}, "cook_time": {"default": 3}},
            "stations": [station.to_json() for station in self.stations],
            "items": [item.to_json(**{"stack-level": item.stack_level}) for item in self.items],
            "players": [robot | {"direction": list(self.robot.direction)}],
            "containers": [container.to_json() for container in self.containers],
            "meals": [meal.to_json() for meal in self.meals],
            "goal_description": self.goal_description,
            "goal": [
                {"predicate": g.predicate, "args": list(g.args), "ids": list(g.ids)}
                for g in self.goal
            ],
        }


def find_placement_fault(layout: Layout) -> str | None:
    """Shared cells, things in mid-air, undecided stacks, two things in the robot's hand: the first, as a sentence
    without its full stop."""
    if not layout.stations:
        return "stations is empty, list at least one"
    stations: dict[tuple[int, int], int] = {}
    for i, station in enumerate(layout.stations):
        first = stations.setdefault(station.cell, i)
        if first != i:
            return f"stations[{i}] shares cell {station.cell} with stations[{first}], move one"
    robot = layout.robot.cell
    if robot in stations:
        return f"players[0] stands on stations[{stations[robot]}], move the robot to a free cell"
    for key, things in (("items", layout.items), ("containers", layout.containers)):
        for i, thing in enumerate(things):
            if thing.cell not in stations and thing.cell != robot:
                return f"{key}[{i}] is at {thing.cell}, where no station and no robot is, move it"
    levels = defaultdict(list)
    for item in layout.items:
        levels[item.cell].append(item.stack_level)
    for cell, found in levels.items():
        if cell != robot and len(set(found)) != len(found):
            return f"items at {cell} share a stack-level, number them from the bottom upwards"
    containers = set()
    for i, container in enumerate(layout.containers):
        cell = container.cell
        if cell in levels or cell in containers:
            return f"containers[{i}] is at {cell}, which is taken by another object, move it"
        containers.add(cell)
    if (held := len(levels[robot])) > 1:
        return f"items at {robot} are {held}, but the robot holds one at most, move one"
    meals = Counter(meal.cell for meal in layout.meals)
    for i, meal in enumerate(layout.meals):
        if meal.cell not in containers or meals[meal.cell] > 1:
            return f"meals[{i}] is at {meal.cell}, but must be alone in a container's cell, move it"
    return None


PREPARED = {way.done.name: (way.station, way.raw.name) for way in PREPARATIONS}
PREPARED["iscooking"] = PREPARED["iscooked"]
"""Predicate -> station at which an item comes by it, and the predicate that it needs for that."""


def find_goal_fault(layout: Layout) -> str | None:
    """A goal whose ids contradict each other or that the kitchen's objects can never satisfy, as a sentence likewise.

    These are necessary conditions that need no search (enough objects of every kind, and a way to give them what the
    goal asks of them); a goal that passes may still have no plan.
    """
    if not layout.goal:
        return "goal is empty, list at least one predicate"
    kinds: dict[int | str, str] = {}
    for i, predicate in enumerate(layout.goal):
        for j, (kind, object_id) in enumerate(zip(predicate.args, predicate.ids, strict=True)):
            if kinds.setdefault(object_id, kind) != kind:
                return (
                    f"goal[{i}].ids[{j}] gives id {object_id} to a {kind}, but it already is "
                    f"a {kinds[object_id]}, use another id"
                )
        if len(set(predicate.ids)) != len(predicate.ids):
            return f"goal[{i}].ids names one object twice, use two ids"
    present = Counter(thing.name for thing in (*layout.list_things(), layout.robot))
    if present["pot"] and present["sink"]:  # they make as much water as anybody wants
        present["water"] += len(kinds)
    # What an id of text means is there, and may be what a number means, too.
    for kind, needed in Counter(k for key, k in kinds.items() if isinstance(key, int)).items():
        if present[kind] < needed:
            source = "pot and sink" if kind == "water" else kind
            return (
                f"goal needs {needed} {kind} but the kitchen has {present[kind]}, so it can never "
                f"be reached, add a {source} or change the goal"
            )
    return _find_missing_preparation(layout, present)


def _find_missing_preparation(layout: Layout, present: Counter) -> str | None:
    """A goal that asks for more cooked, cut, fried ... items of a kind than there can be."""
    flags = {*LAYOUT_FLAGS, *PREPARED, "isboiling"}
    for predicate in sorted({g.predicate for g in layout.goal} & flags):
        terms = [g for g in layout.goal if g.predicate == predicate]
        # A thing that an id of text means may be what a number means, too.
        wanted = ((g.args[0], g.ids[0] if isinstance(g.ids[0], int) else "") for g in terms)
        numbers = Counter(kind for kind, key in dict.fromkeys(wanted) if key != "")
        for kind in dict.fromkeys(g.args[0] for g in terms):
            needed = max(numbers[kind], 1)
            things = [i for i in (*layout.items, *layout.meals) if i.name == kind]
            able = sum(_can_become(predicate, i.predicates, present) for i in things)
            if able < needed and not (kind == "water" and present["pot"] and present["stove"]):
                station, raw = PREPARED.get(predicate, ("", predicate))
                fix = f"list {raw} in the item's predicates"
                if station:
                    fix = f"add a {station} and {fix}"
                if predicate == "isboiling":
                    fix = "add a stove and a pot"
                return (
                    f"goal needs {predicate} of {needed} {kind} but the kitchen can have {able}, "
                    f"so it can never be reached, {fix}"
                )
    return None


def _can_become(predicate: str, own: tuple[str, ...], present: Counter) -> bool:
    """Whether a thing has a predicate or can come by it."""
    if predicate == "isfryable" and "isfryableifcut" in own:
        return "isfryable" in own or _can_become("iscut", own, present)
    station, raw = PREPARED.get(predicate, ("", ""))
    return predicate in own or present[station] > 0 and _can_become(raw, own, present)
