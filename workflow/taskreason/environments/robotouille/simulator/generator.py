"""Varied kitchens: a task's own objects at random places, with random extra stations and items.

Input: the task's template layout, a seed and a mode. Output: a new `Layout`, the same for the same
three. The distributions are those of the benchmark's procedural layouts (numbers of extra stations
and items, their kinds, the robot's place and hand); the stream of random numbers is our own. Two
departures: extra stations are added until every item has its own, where the benchmark drops items,
and a seed never borrows another seed's kitchen: it is retried within its own stream, then refused.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from taskreason.environments.robotouille.simulator.domain import ITEM_KINDS, STATION_KINDS
from taskreason.environments.robotouille.simulator.layout import (
    DIRECTIONS,
    ItemSpec,
    Layout,
    RobotSpec,
    StationSpec,
)
from taskreason.environments.robotouille.simulator.layout_reader import LayoutError

Mode = Literal["scattered", "grouped", "mixed"]
MODES: tuple[Mode, ...] = ("scattered", "grouped", "mixed")

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

Cell = tuple[int, int]


def generate_layout(template: Layout, seed: int, mode: Mode) -> Layout:
    """One kitchen for the template's task.

    "scattered" breaks up the template's stacks: every item lies alone on some station, or is in the
    robot's hand, and the robot faces any station. "grouped" moves the template's stations with what
    is on them; extra items lie on extra stations, and the robot faces one of the template's own.
    "mixed" is one or the other, as the seed has it.
    Raises LayoutError for a template that leaves the robot no room.
    """
    if template.containers or template.meals:
        raise LayoutError(f"{template.source}: containers can't be varied, use a template without.")
    rng = random.Random(f"{template.hash}/{mode}/{seed}")
    own = rng.choice(("scattered", "grouped")) if mode == "mixed" else mode
    draw = {"scattered": _draw_scattered, "grouped": _draw_grouped}[own]
    for _ in range(ATTEMPTS):
        layout = draw(template, rng)
        if layout is not None:
            return replace(layout, source=f"{template.source} (seed {seed}, {mode})")
    raise LayoutError(
        f"{template.source}: width and height leave no room for the robot with seed {seed}, "
        "enlarge the kitchen."
    )


def draw_disjoint(
    template: Layout, mode: Mode, seeds: Iterable[int], count: int, exclude: set[str]
) -> list[tuple[int, Layout]]:
    """`count` kitchens, with their seeds, whose content is new: no two equal, none in `exclude`.

    `exclude` holds `Layout.hash` values. Raises LayoutError when the seeds run out.
    """
    seen, drawn = set(exclude), []
    for seed in seeds:
        if len(drawn) == count:
            break
        layout = generate_layout(template, seed, mode)
        if layout.hash not in seen:
            seen.add(layout.hash)
            drawn.append((seed, layout))
    if len(drawn) < count:
        raise LayoutError(
            f"{template.source}: the seeds give {len(drawn)} different kitchens but {count} are "
            "wanted, give more seeds."
        )
    return drawn


def _draw_scattered(template: Layout, rng: random.Random) -> Layout | None:
    extra = _draw_items(rng, _draw_count(rng, EXTRA_ITEM_WEIGHTS))
    items = [*template.items, *extra]
    holds = rng.random() < HOLDING_RATE
    wanted = max(
        len(template.stations) + _draw_count(rng, EXTRA_STATION_WEIGHTS), len(items) - holds
    )
    stations = _place_stations(template, rng, wanted)
    robot = stations and _place_robot(template, rng, stations, stations)
    if not robot:
        return None
    held = rng.randrange(len(items)) if holds else -1
    spots = rng.sample([(s.x, s.y) for s in stations], len(items) - holds)
    if holds:
        spots.insert(held, (robot.x, robot.y))
    return replace(
        template,
        stations=tuple(stations),
        items=tuple(
            replace(item, x=x, y=y, stack_level=0)
            for item, (x, y) in zip(items, spots, strict=True)
        ),
        robot=robot,
    )


def _draw_grouped(template: Layout, rng: random.Random) -> Layout | None:
    extra = _draw_items(rng, _draw_count(rng, EXTRA_ITEM_WEIGHTS))
    extra_stations = max(_draw_count(rng, EXTRA_STATION_WEIGHTS), len(extra))
    own = len(template.stations)
    stations = _place_stations(template, rng, own + extra_stations)
    robot = stations and _place_robot(template, rng, stations, stations[:own])
    if not robot:
        return None
    moved: dict[Cell, StationSpec] = {
        (old.x, old.y): new for old, new in zip(template.stations, stations[:own], strict=True)
    }
    items = [
        replace(item, x=moved[item.x, item.y].x, y=moved[item.x, item.y].y)
        for item in template.items
    ]
    spots = rng.sample(stations[own:], len(extra))
    items += [replace(item, x=s.x, y=s.y) for item, s in zip(extra, spots, strict=True)]
    return replace(template, stations=tuple(stations), items=tuple(items), robot=robot)


def _draw_count(rng: random.Random, weights: tuple[float, ...]) -> int:
    return rng.choices(range(len(weights)), weights)[0]


def _draw_items(rng: random.Random, count: int) -> list[ItemSpec]:
    """Items of random kinds, raw and whole, that still have to be given a place."""
    kinds = rng.choices(ITEM_KINDS, k=count)
    return [ItemSpec(kind, 0, 0, 0, EXTRA_ITEM_PREDICATES.get(kind, ())) for kind in kinds]


def _place_stations(template: Layout, rng: random.Random, count: int) -> list[StationSpec] | None:
    """The template's stations, then extra ones, on random cells; None if all are taken."""
    cells = [(x, y) for x in range(template.width) for y in range(template.height)]
    if count >= len(cells):
        return None
    kinds = [station.name for station in template.stations]
    kinds += rng.choices(STATION_KINDS, k=count - len(kinds))
    spots = rng.sample(cells, count)
    return [StationSpec(kind, x, y) for kind, (x, y) in zip(kinds, spots, strict=True)]


def _place_robot(
    template: Layout, rng: random.Random, stations: list[StationSpec], faced: list[StationSpec]
) -> RobotSpec | None:
    """The robot beside a random one of `faced`, on a free cell and turned to it."""
    taken = {(s.x, s.y) for s in stations}
    for station in rng.sample(faced, len(faced)):
        for dx, dy in rng.sample(DIRECTIONS, len(DIRECTIONS)):
            x, y = station.x - dx, station.y - dy
            if 0 <= x < template.width and 0 <= y < template.height and (x, y) not in taken:
                return RobotSpec(x, y, (dx, dy))
    return None
