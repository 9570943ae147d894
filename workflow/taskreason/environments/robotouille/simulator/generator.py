"""Varied kitchens: a task's own objects at random places, with random extra stations and items.

Input: the task's template layout, a seed and a mode. Output: a new `Layout`, the same for the same three. The
distributions are those of the benchmark's procedural layouts, as far as its kitchens show them: how many extra stations
and items there are and of which kinds, before what the robot starts, how often it holds something and what, and how
long shortest plans are (docs/tasks.md has both side by side). The stream of random numbers is our own, and a seed is
retried within its own stream, then refused, where the benchmark takes the kitchen of a later seed. The mode "larger" is
none of the benchmark's: its kitchens have more stations and more items than any of the others.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from typing import Literal

from ..renaming import LARGEST
from .domain import ITEM_KINDS, STATION_KINDS
from .layout import DIRECTIONS, Layout, Robot, Thing
from .layout_files import LayoutError

Mode = Literal["scattered", "grouped", "larger"]
MODES: tuple[Mode, ...] = ("scattered", "grouped")
"""Those of the benchmark."""

EXTRA_STATION_WEIGHTS = (4, 5, 7, 8, 9, 12, 12, 9, 6)
"""Weight of 0, 1, ... extra stations."""
EXTRA_ITEM_WEIGHTS = tuple(0.74**n for n in range(8))
"""Weight of 0, 1, ... extra items; those that would fill the last empty station are left out."""
MORE_STATIONS, MORE_ITEMS, MORE_CELLS = (1, 4), (1, 3), 2
"""What a larger kitchen has beyond the largest of the others: stations and items, least and most, and cells a side."""
HOLDING_OWN, HOLDING_EXTRA = 0.063, 0.1
"""How likely the robot of a scattered kitchen starts with a given own item in its hand, and with an extra one."""
HOLDING_LARGER = 0.14
"""How likely the robot of a larger kitchen starts with any extra item: as in others, which have 1.4 on average."""
FACING_NEXT = 0.3
"""How often the robot of a scattered kitchen starts before an own item, relative to the item listed before it."""
FACING_EXTRA = 2
"""How much likelier it starts at a given extra station than at one of the template's."""
EXTRA_ITEM_PREDICATES = {
    **dict.fromkeys(("patty", "chicken"), ("iscookable",)),
    **dict.fromkeys(("lettuce", "onion", "tomato"), ("iscuttable",)),
}
ATTEMPTS = 100


def generate_layout(template: Layout, seed: int, mode: Mode) -> Layout:
    """One kitchen for the template's task; raises LayoutError for a template that leaves the robot no room.

    "scattered" breaks up the template's stacks: every item lies alone on some station, or is in the robot's hand, and
    the robot faces one of the template's own items. "larger" does the same in a larger kitchen. "grouped" moves the
    template's stations with what is on them; extra items lie on extra stations, and the robot faces the station that it
    faces in the template.
    """
    if template.containers or template.meals:
        raise LayoutError(f"{template.source}: containers can't be varied, use a template without.")
    rng = random.Random(f"{template.hash}/{mode}/{seed}")
    if mode == "larger":
        width, height = template.width + MORE_CELLS, template.height + MORE_CELLS
        template = replace(template, width=width, height=height)
    for _ in range(ATTEMPTS):
        layout = _draw_layout(template, rng, mode)
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


def _draw_layout(template: Layout, rng: random.Random, mode: Mode) -> Layout | None:
    """One attempt; None where the robot has no room."""
    own, grouped = template.stations, mode == "grouped"
    if mode == "larger":
        most = len(EXTRA_STATION_WEIGHTS) - 1
        number = max(len(own), len(template.items)) + most + rng.randint(*MORE_STATIONS)
        kinds = _draw_kinds(rng, STATION_KINDS, own, number - len(own))
    else:
        number = len(own) + _draw(rng, EXTRA_STATION_WEIGHTS)
        if not grouped:
            number = max(number, len(template.items))
        kinds = rng.choices(STATION_KINDS, k=number - len(own))
    cells = list(product(range(template.width), range(template.height)))
    if number >= len(cells):
        return None
    spots = rng.sample(cells, number)
    unplaced = [*own, *(Thing(kind, 0, 0) for kind in kinds)]
    stations = [replace(s, x=x, y=y) for s, (x, y) in zip(unplaced, spots, strict=True)]
    # One station stays empty, unless the task's own items need it.
    room = max(number - 1 - (len(own) if grouped else len(template.items)), 0)
    if mode == "larger":
        extras = len(EXTRA_ITEM_WEIGHTS) - 1 + rng.randint(*MORE_ITEMS)
        kinds = _draw_kinds(rng, ITEM_KINDS, template.items, min(room, extras))
    else:
        kinds = rng.choices(ITEM_KINDS, k=min(room, _draw(rng, EXTRA_ITEM_WEIGHTS)))
    extra = [Thing(kind, 0, 0, 0, EXTRA_ITEM_PREDICATES.get(kind, ())) for kind in kinds]
    free = set(cells) - set(spots)
    if not grouped:
        holding = HOLDING_LARGER / len(extra) if mode == "larger" else HOLDING_EXTRA
        return _scatter(template, rng, stations, extra, free, holding)
    moved = {old.cell: new for old, new in zip(own, stations, strict=False)}
    robot = _place_robot(rng, free, moved.get(template.robot.faces, stations[0]))
    if robot is None:
        return None
    items = [replace(i, x=moved[i.cell].x, y=moved[i.cell].y) for i in template.items]
    rest = rng.sample(stations[len(own) :], len(extra))
    items += [replace(i, x=at.x, y=at.y) for i, at in zip(extra, rest, strict=True)]
    return replace(template, stations=tuple(stations), items=tuple(items), robot=robot)


def _scatter(
    template: Layout,
    rng: random.Random,
    stations: list[Thing],
    extra: list[Thing],
    free: set[tuple[int, int]],
    holding: float,
) -> Layout | None:
    """Own and extra items one by one on the stations, or one in the robot's hand; None where the robot has no room.

    holding: how likely the robot starts with a given extra item.
    """
    own = len(template.items)
    items = [*template.items, *extra]
    faced = _draw(rng, [FACING_NEXT**n for n in range(own)])
    chances = [HOLDING_OWN] * own + [holding] * len(extra)
    chances[faced] = 0.0
    held = _draw(rng, [max(0.0, 1 - sum(chances)), *chances]) - 1
    extras = len(stations) - len(template.stations)
    first = _draw(rng, [1.0] * len(template.stations) + [FACING_EXTRA] * extras)
    others = stations[:first] + stations[first + 1 :]
    spots = iter(rng.sample(others, len(others)))
    robot = _place_robot(rng, free, stations[first])
    if robot is None:
        return None
    places = [
        stations[first] if n == faced else robot if n == held else next(spots)
        for n in range(len(items))
    ]
    placed = (
        replace(item, x=at.x, y=at.y, stack_level=0) for item, at in zip(items, places, strict=True)
    )
    return replace(template, stations=tuple(stations), items=tuple(placed), robot=robot)


def _draw_kinds(
    rng: random.Random, kinds: Sequence[str], own: Sequence[Thing], number: int
) -> list[str]:
    """Kinds of further things, so that no kind has more than there are names for, the template's own ones included."""
    taken = Counter(thing.name for thing in own)
    return rng.sample([kind for kind in kinds for _ in range(LARGEST - taken[kind])], number)


def _draw(rng: random.Random, weights: Sequence[float]) -> int:
    return rng.choices(range(len(weights)), weights)[0]


def _place_robot(rng: random.Random, free: set[tuple[int, int]], station: Thing) -> Robot | None:
    """The robot on a free cell beside a station and turned to it; None where there is no room."""
    for dx, dy in rng.sample(DIRECTIONS, len(DIRECTIONS)):
        if (cell := (station.x - dx, station.y - dy)) in free:
            return Robot(*cell, (dx, dy))
    return None
