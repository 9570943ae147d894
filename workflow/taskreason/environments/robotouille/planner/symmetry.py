"""Names for states that are equal but for the choice among equal things, so that one of them stands for all.

Two patties that are both raw may change places, and so may what is on one table and on another: where a goal says which
things it means by kind only, that changes no distance. A state's name is the same for all of its like.
"""

from ..simulator.engine import BOIL, FILL, Kitchen, State

FLAG_BITS = 10
"""Bits below the number of an item's kind, enough for its flags."""
EFFECT_BITS = 20
"""Bits below those that say which running effects concern a thing."""


def _number(kinds: tuple[str, ...]) -> list[int]:
    """A number for each kind: ``("table", "sink", "table")`` gives ``[1, 0, 1]``."""
    numbers = {kind: n for n, kind in enumerate(sorted({*kinds}))}
    return [numbers[kind] for kind in kinds]


class Symmetry:
    """Names of one kitchen's states."""

    def __init__(self, kitchen: Kitchen):
        self._items = [number << FLAG_BITS for number in _number(kitchen.item_kinds)]
        self._stations = _number(kitchen.station_kinds)
        self._containers = _number(kitchen.container_kinds)

    def name(self, state: State) -> tuple:
        """What the robot is at and holds, what stands on the stations in any order, and everything else as it is.

        A thing is told by its kind, its flags and the running effects that concern it.
        """
        loc, hand, stacks, flags, containers, meals, added, effects = state
        items = [kind | own for kind, own in zip(self._items, flags, strict=True)]
        vessels = [
            (kind, meal) for kind, (_, meal) in zip(self._containers, containers, strict=True)
        ]
        marks = [0] * len(stacks)
        for n, (kind, thing, station, _) in enumerate(effects):
            bit = 1 << (EFFECT_BITS + n)
            if kind in (FILL, BOIL):
                vessels[thing] = (*vessels[thing], n)
            else:
                items[thing] |= bit
            if station >= 0:
                marks[station] |= bit
        standing = {place: vessels[c] for c, (place, _) in enumerate(containers)}
        sites = [
            (kind, marks[s], standing.get(s, ()), *[items[i] for i in stack])
            for s, (kind, stack) in enumerate(zip(self._stations, stacks, strict=True))
        ]
        here = sites[loc] if loc >= 0 else ()
        held = -1 if hand < 0 else [*items, *vessels][hand]
        progress = tuple([(kind, count) for kind, _, _, count in effects])
        gone = tuple(sorted([(items[i], meal) for i, meal in added]))
        return here, held, tuple(sorted(sites)), progress, meals, gone
