"""Varied kitchens: a task's own objects at random places, with random extra stations and items.

Input: the task's template layout, a seed and a mode. Output: a new `Layout`, the same for the same three. The
distributions are those of the benchmark's procedural layouts (numbers of extra stations and items, their kinds, the
robot's place and hand); the stream of random numbers is our own. Two departures: extra stations are added until every
item has its own, where the benchmark drops items, and a seed is retried within its own stream, then refused.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from typing import Literal, get_args

from .domain import ITEM_KINDS, STATION_KINDS
from .layout import DIRECTIONS, Layout, Robot, Thing
from .layout_files import LayoutError

Mode = Literal["scattered", "grouped", "mixed"]
MODES: tuple[Mode, ...] = get_args(Mode)

EXTRA_STATION_WEIGHTS = tuple(n + 9.33 for n in range(9))
"""Weight of 0, 1, ... extra stations: nearly flat, with the benchmark's mean."""
EXTRA_ITEM_WEIGHTS = tuple(0.6**n for n in range(7))
"""Weight of 0, 1, ... extra items."""
HOLDING_RATE = 1 / 16
"""How often the robot of a scattered kitchen starts with an item in its hand."""
EXTRA_ITEM_PREDICATES = {
    **dict.fromkeys(("patty", "chicken"), ("iscookable",)),
    **dict.fromkeys(("lettuce", "onion", "tomato"), ("iscuttable",)),
}
ATTEMPTS = 100


def generate_layout(template: Layout, seed: int, mode: Mode) -> Layout:
    """One kitchen for the template's task; raises LayoutError for a template that leaves the robot no room.

    "scattered" breaks up the template's stacks: every item lies alone on some station, or is in the robot's hand, and
    the robot faces any station. "grouped" moves the template's stations with what is on them; extra items lie on extra
    stations, and the robot faces one of the template's own. "mixed" is one or the other, as the seed has it.
    """
    if template.containers or template.meals:
        raise LayoutError(f"{template.source}: containers can't be varied, use a template without.")
    rng = random.Random(f"{template.hash}/{mode}/{seed}")
    own = rng.choice(("scattered", "grouped")) if mode == "mixed" else mode
    for _ in range(ATTEMPTS):
        layout = _draw_layout(template, rng, own == "scattered")
        if layout is not None:
            return replace(layout, source=f"{template.source} (seed {seed}, {mode})")
    raise LayoutError(
        f"{template.source}: width and height leave no room for the robot with seed {seed}, "
        "enlarge the kitchen."
    )


def list_different(template: Layout, seed: int, mode: Mode) -> Iterator[Layout]:
    """The kitchens of this seed and those after it, without end; equal ones only once."""
    seen = set()
    for number in count(seed):
        layout = generate_layout(template, number, mode)
        if layout.hash not in seen:
            seen.add(layout.hash)
            yield layout


def _draw_layout(template: Layout, rng: random.Random, scattered: bool) -> Layout | None:
    """One attempt; None where the robot has no room."""
    own = template.stations
    kinds = rng.choices(ITEM_KINDS, k=_draw_count(rng, EXTRA_ITEM_WEIGHTS))
    extra = [Thing(kind, 0, 0, 0, EXTRA_ITEM_PREDICATES.get(kind, ())) for kind in kinds]
    items = [*template.items, *extra]
    holds = scattered and rng.random() < HOLDING_RATE
    fewest = len(items) - holds if scattered else len(own) + len(extra)
    number = max(len(own) + _draw_count(rng, EXTRA_STATION_WEIGHTS), fewest)
    cells = list(product(range(template.width), range(template.height)))
    if number >= len(cells):
        return None
    more = rng.choices(STATION_KINDS, k=number - len(own))
    unplaced = [*own, *(Thing(kind, 0, 0) for kind in more)]
    spots = rng.sample(cells, number)
    stations = [replace(s, x=x, y=y) for s, (x, y) in zip(unplaced, spots, strict=True)]
    free = set(cells) - set(spots)
    robot = _place_robot(rng, free, stations if scattered else stations[: len(own)])
    if not robot:
        return None
    if scattered:
        held = rng.randrange(len(items)) if holds else -1
        places: list[Thing | Robot] = rng.sample(stations, len(items) - holds)
        if holds:
            places.insert(held, robot)
        items = [replace(item, stack_level=0) for item in items]
    else:
        moved = {old.cell: new for old, new in zip(own, stations, strict=False)}
        places = [moved[item.cell] for item in template.items]
        places += rng.sample(stations[len(own) :], len(extra))
    placed = (replace(i, x=at.x, y=at.y) for i, at in zip(items, places, strict=True))
    return replace(template, stations=tuple(stations), items=tuple(placed), robot=robot)


def _draw_count(rng: random.Random, weights: tuple[float, ...]) -> int:
    return rng.choices(range(len(weights)), weights)[0]


def _place_robot(
    rng: random.Random, free: set[tuple[int, int]], stations: Sequence[Thing]
) -> Robot | None:
    """The robot on a free cell beside a random one of the stations and turned to it; None where there is no room."""
    for station in rng.sample(stations, len(stations)):
        for dx, dy in rng.sample(DIRECTIONS, len(DIRECTIONS)):
            if (cell := (station.x - dx, station.y - dy)) in free:
                return Robot(*cell, (dx, dy))
    return None
