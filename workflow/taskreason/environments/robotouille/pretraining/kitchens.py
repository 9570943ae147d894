"""Random kitchens with small generic goals, in which the laptop's base model learns its chores.

No goal has more than two slots, so neither a recipe of the tasks nor any three-high stack is ever asked for.
"""

import random

from taskreason.durability.errors import UserError

from ..simulator.domain import ITEM_KINDS, STATION_KINDS
from ..simulator.engine import Kitchen, State
from ..simulator.goal_stack import compile_stacks, find_site
from ..simulator.layout import DIRECTIONS, GoalPredicate, Layout, Robot, Thing

CROWDED = 0.35
"""Share of kitchens in which things lie on every table, so that one must be cleared first."""
PILED = (0.4, 0.6, 0.85)
"""Shares of items that land on one of two piles, where high stacks are wanted."""
COVERED = 0.5
"""Share of the other kitchens in which something lies on the goal's lowest item, which is on a table already."""
HELD = 0.25
"""Share of kitchens in which the robot holds something at the start."""
PREPARED = {
    **dict.fromkeys(("chicken", "patty"), ("iscookable", "iscooked")),
    **dict.fromkeys(("lettuce", "onion", "tomato"), ("iscuttable", "iscut")),
}
"""Kinds that are prepared: their flag before and after."""


def draw_kitchen(rng: random.Random, small: bool = False, piled: float = 0.0) -> Layout:
    """A random kitchen with a small goal; stations, items, stacks, held item and goal all vary.

    piled: share of the items that are put on one of two stations, which grow high stacks.
    """
    size = 5
    cells = [(x, y) for x in range(size) for y in range(size)]
    rng.shuffle(cells)
    crowded = not small and not piled and rng.random() < CROWDED
    covered = not small and not piled and not crowded and rng.random() < COVERED
    if small:
        tables, others = rng.randint(2, 3), rng.randint(1, 2)
    elif crowded:
        tables, others = rng.randint(1, 4), rng.randint(1, 6)
    else:
        tables, others = rng.randint(2, 7), rng.randint(0, 6)
    kinds = ["table"] * tables + [rng.choice(STATION_KINDS) for _ in range(others)]
    stations = tuple(Thing(kind, *cells.pop()) for kind in kinds)
    robot = _place_robot(stations, size, rng)
    goal, wanted = _draw_goal(rng)
    names = list(wanted)
    pool = rng.sample(ITEM_KINDS, rng.randint(2, len(ITEM_KINDS)))
    names += [rng.choice(pool) for _ in range(rng.randint(0, 2) if small else rng.randint(1, 8))]
    names += rng.choices(wanted[-1:] if covered else wanted, k=rng.choice((0, 1, 1, 2)))
    names += [rng.choice(pool) for _ in range(tables)] if crowded else []
    rng.shuffle(names)
    if covered:
        names.remove(wanted[0])
        names.insert(0, wanted[0])
    prepared = {n for n in range(len(names)) if rng.random() < 0.5}
    for kind in sorted(set(names) & set(PREPARED)):  # one at least, so that a goal can ask for it
        prepared.add(rng.choice([n for n, name in enumerate(names) if name == kind]))
    items, heights = [], {}
    held = (2 if covered else 0) if rng.random() < HELD else None
    for n, name in enumerate(names):
        predicates = (PREPARED[name][n in prepared],) if name in PREPARED else ()
        if n == held:
            items.append(Thing(name, robot.x, robot.y, 0, predicates))
            continue
        free = [s for s in stations if (s.x, s.y) not in heights]
        if covered and n < 2:
            station = stations[0]  # tables come first
        elif piled and rng.random() < piled:
            station = rng.choice(stations[:2])
        elif crowded and name == wanted[0] and rng.random() < 0.8:
            station = rng.choice(stations[tables:])
        elif crowded and free:
            station = free[0]
        else:
            station = rng.choice(free if free and rng.random() < 0.7 else stations)
        level = heights.get((station.x, station.y), 0)
        heights[station.x, station.y] = level + 1
        items.append(Thing(name, station.x, station.y, level, predicates))
    return Layout(stations, tuple(items), robot, (), (), goal, "A chore", size, size, "chore")


def _place_robot(stations: tuple[Thing, ...], size: int, rng: random.Random) -> Robot:
    """The robot on a free cell beside a random station, turned to it."""
    taken = {(s.x, s.y) for s in stations}
    for station in rng.sample(stations, len(stations)):
        steps = list(DIRECTIONS)
        rng.shuffle(steps)
        for dx, dy in steps:
            x, y = station.x - dx, station.y - dy
            if 0 <= x < size and 0 <= y < size and (x, y) not in taken:
                return Robot(x, y, (dx, dy))
    raise UserError(
        "the chore kitchens: no station has a free cell beside it; draw fewer stations."
    )


def _draw_goal(rng: random.Random) -> tuple[tuple[GoalPredicate, ...], list[str]]:
    """A goal of one or two slots on a table, and the kinds that it needs.

    No slot must come last: with two slots it would be the next one at once, which is no rule for longer lists.
    """
    first, second = rng.choice(ITEM_KINDS), rng.choice(ITEM_KINDS)
    terms = [GoalPredicate("item_on", (first, "table"), (1, 2))]
    kinds = [first]
    style = rng.random()
    if style > 0.1:
        kinds.append(second)
        if style < 0.65:
            terms.append(GoalPredicate("atop", (second, first), (3, 1)))
        else:
            terms.append(GoalPredicate("item_at", (second, "table"), (3, 2)))
    for kind, key in zip(kinds, (1, 3), strict=False):
        if kind in PREPARED and rng.random() < 0.6:
            terms.append(GoalPredicate(PREPARED[kind][1], (kind,), (key,)))
    return tuple(terms), kinds


def draw_start(
    rng: random.Random, small: bool = False, piled: float = 0.0
) -> tuple[Kitchen, State]:
    """A random kitchen, some random steps into an episode."""
    kitchen = Kitchen(draw_kitchen(rng, small, piled))
    state = kitchen.initial
    for _ in range(rng.choice((0, 0, 1, 3, 6))):
        state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
    return kitchen, state


def draw_contested(rng: random.Random) -> tuple[Kitchen, State]:
    """A start in which an item of a kind that a slot is still open for lies idle on the goal's stack."""
    while True:
        kitchen, state = draw_start(rng, piled=rng.choice(PILED))
        for target in compile_stacks(kitchen.goal):
            if find_site(kitchen, state, target).list_contested():
                return kitchen, state
