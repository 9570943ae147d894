"""What a well-typed layout can still get wrong: where things stand, and a goal out of reach.

Input: a parsed `Layout`. Output: the first fault as one sentence without its full stop, or None.
The goal checks are necessary conditions that need no search (enough objects of every kind, and a
way to give them what the goal asks of them); a goal that passes may still have no plan.
"""

from collections import Counter, defaultdict

from .domain import LAYOUT_FLAGS
from .layout import Layout

_PREPARED = {
    "iscooked": ("stove", "iscookable"),
    "iscooking": ("stove", "iscookable"),
    "iscut": ("board", "iscuttable"),
    "isfried": ("fryer", "isfryable"),
}
"""Predicate -> station at which an item comes by it, and the predicate that it needs for that."""


def find_placement_fault(layout: Layout) -> str | None:
    """Shared cells, things in mid-air, undecided stacks, two things in the robot's hand."""
    if not layout.stations:
        return "stations is empty, list at least one"
    stations: dict[tuple[int, int], int] = {}
    for i, station in enumerate(layout.stations):
        first = stations.setdefault((station.x, station.y), i)
        if first != i:
            cell = station.x, station.y
            return f"stations[{i}] shares cell {cell} with stations[{first}], move one"
    robot = (layout.robot.x, layout.robot.y)
    if robot in stations:
        return f"players[0] stands on stations[{stations[robot]}], move the robot to a free cell"
    for key, things in (("items", layout.items), ("containers", layout.containers)):
        for i, thing in enumerate(things):
            cell = (thing.x, thing.y)
            if cell not in stations and cell != robot:
                return f"{key}[{i}] is at {cell}, where no station and no robot is, move it"
    levels = defaultdict(list)
    for item in layout.items:
        levels[item.x, item.y].append(item.stack_level)
    for cell, found in levels.items():
        if cell != robot and len(set(found)) != len(found):
            return f"items at {cell} share a stack-level, number them from the bottom upwards"
    containers = set()
    for i, container in enumerate(layout.containers):
        cell = (container.x, container.y)
        if cell in levels or cell in containers:
            return f"containers[{i}] is at {cell}, which is taken by another object, move it"
        containers.add(cell)
    if len(held := levels.get(robot, [])) > 1:
        return f"items at {robot} are {len(held)}, but the robot holds one at most, move one"
    meals = Counter((meal.x, meal.y) for meal in layout.meals)
    for i, meal in enumerate(layout.meals):
        cell = (meal.x, meal.y)
        if cell not in containers or meals[cell] > 1:
            return f"meals[{i}] is at {cell}, but must be alone in a container's cell, move it"
    return None


def find_goal_fault(layout: Layout) -> str | None:
    """A goal whose ids contradict each other or that the kitchen's objects can never satisfy."""
    if not layout.goal:
        return "goal is empty, list at least one predicate"
    kinds: dict[int, str] = {}
    for i, predicate in enumerate(layout.goal):
        for j, (kind, object_id) in enumerate(zip(predicate.args, predicate.ids, strict=True)):
            if kinds.setdefault(object_id, kind) != kind:
                return (
                    f"goal[{i}].ids[{j}] gives id {object_id} to a {kind}, but it already is "
                    f"a {kinds[object_id]}, use another id"
                )
        if len(set(predicate.ids)) != len(predicate.ids):
            return f"goal[{i}].ids names one object twice, use two ids"
    present = _count_kinds(layout)
    return _find_missing_objects(kinds, present) or _find_missing_preparation(layout, present)


def _count_kinds(layout: Layout) -> Counter:
    """Objects of every kind; a pot and a sink make as much water as anybody wants."""
    listed = (layout.stations, layout.items, layout.containers, layout.meals, (layout.robot,))
    present = Counter(thing.name for things in listed for thing in things)
    if present["pot"] and present["sink"]:
        present["water"] += sum(len(predicate.ids) for predicate in layout.goal)
    return present


def _find_missing_objects(kinds: dict[int, str], present: Counter) -> str | None:
    for kind, needed in Counter(kinds.values()).items():
        if present[kind] < needed:
            source = "pot and sink" if kind == "water" else kind
            return (
                f"goal needs {needed} {kind} but the kitchen has {present[kind]}, so it can never "
                f"be reached, add a {source} or change the goal"
            )
    return None


def _find_missing_preparation(layout: Layout, present: Counter) -> str | None:
    """A goal that asks for more cooked, cut, fried ... items of a kind than there can be."""
    flags = {*LAYOUT_FLAGS, *_PREPARED, "isboiling"}
    for predicate in sorted({g.predicate for g in layout.goal} & flags):
        wanted = {(g.args[0], g.ids[0]) for g in layout.goal if g.predicate == predicate}
        for kind, needed in Counter(kind for kind, _ in wanted).items():
            things = [i for i in (*layout.items, *layout.meals) if i.name == kind]
            able = sum(_can_become(predicate, set(i.predicates), present) for i in things)
            if able < needed and not (kind == "water" and present["pot"] and present["stove"]):
                return (
                    f"goal needs {predicate} of {needed} {kind} but the kitchen can have {able}, "
                    f"so it can never be reached, {_suggest(predicate)}"
                )
    return None


def _suggest(predicate: str) -> str:
    """How a kitchen comes by things of which a goal asks for a predicate."""
    station, raw = _PREPARED.get(predicate, ("", predicate))
    if predicate == "isboiling":
        return "add a stove and a pot"
    return f"{f'add a {station} and ' * bool(station)}list {raw} in the item's predicates"


def _can_become(predicate: str, own: set[str], present: Counter) -> bool:
    """Whether a thing has a predicate or can come by it."""
    if predicate in own:
        return True
    if predicate == "isfryable":
        return "isfryableifcut" in own and _can_become("iscut", own, present)
    station, raw = _PREPARED.get(predicate, ("", ""))
    return present[station] > 0 and _can_become(raw, own, present)
