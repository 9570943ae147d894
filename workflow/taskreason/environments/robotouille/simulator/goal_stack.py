"""The towers that a goal asks for: read from its terms, and, in a kitchen, which of their slots are filled at a
station and what stands in the way.
"""

from collections import Counter
from dataclasses import dataclass

from taskreason.environments.robotouille.simulator.domain import Flag
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.goal import Goal

FLAG_TERMS = {flag.name: int(flag) for flag in Flag}
TOWER_TERMS = {"item_on", "item_at", "atop", "clear", *FLAG_TERMS}


@dataclass(frozen=True)
class Slot:
    """One place in a tower: the kind of item, and the flags that it must have."""

    kind: str
    flags: int


@dataclass(frozen=True)
class Tower:
    """A stack that the goal asks for.

    station: kind of station that it stands on, or None when it may stand anywhere. chain: slots from the bottom,
    each directly on the last. loose: slots anywhere above the chain, in any order. top: a slot that must come last.
    """

    station: str | None
    chain: tuple[Slot, ...]
    loose: tuple[Slot, ...] = ()
    top: Slot | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All slots in the order in which the goal's text numbers them, from 1."""
        return (*self.chain, *self.loose, *([self.top] if self.top else []))

    @property
    def flagged(self) -> bool:
        """Whether any slot asks for a flag such as iscooked."""
        return any(slot.flags for slot in self.slots)


def compile_towers(goal: Goal) -> list[Tower] | None:
    """The goal's terms as towers, or None when it has terms of another sort (containers, meals, the robot)."""
    if any(predicate not in TOWER_TERMS for predicate, _ in goal.terms):
        return None
    flags: dict[int, int] = {}
    above: dict[int, int] = {}
    base: dict[int, int] = {}
    at: dict[int, list[int]] = {}
    clear = set()
    for predicate, ids in goal.terms:
        if predicate in FLAG_TERMS:
            flags[ids[0]] = flags.get(ids[0], 0) | FLAG_TERMS[predicate]
        elif predicate == "item_on":
            base[ids[1]] = ids[0]
        elif predicate == "item_at":
            at.setdefault(ids[1], []).append(ids[0])
        elif predicate == "atop":
            above[ids[1]] = ids[0]
        else:
            clear.add(ids[0])

    def slot(key: int) -> Slot:
        return Slot(goal.kinds[key], flags.get(key, 0))

    def chain_from(key: int) -> list[int]:
        chain = [key]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
        return chain

    towers, placed = [], set()
    for station in {*base, *at}:
        chain = chain_from(base[station]) if station in base else []
        rest = [key for key in at.get(station, []) if key not in chain]
        top = next((key for key in rest if key in clear), None)
        loose = tuple(slot(key) for key in rest if key != top)
        placed |= {*chain, *rest}
        towers.append(
            Tower(
                goal.kinds[station],
                tuple(slot(key) for key in chain),
                loose,
                None if top is None else slot(top),
            )
        )
    for key in [k for k in above if k not in above.values() and k not in placed]:
        towers.append(Tower(None, tuple(slot(k) for k in chain_from(key))))
    return towers


def fits_slot(kitchen: Kitchen, state: State, item: int, slot: Slot) -> bool:
    """Whether an item is of the slot's kind and has its flags."""
    return kitchen.item_kinds[item] == slot.kind and state.flags[item] & slot.flags == slot.flags


def list_sites(kitchen: Kitchen, tower: Tower) -> list[int]:
    """Stations on which the tower may stand."""
    return [s for s, kind in enumerate(kitchen.station_kinds) if kind == tower.station]


def find_site(kitchen: Kitchen, state: State, tower: Tower) -> int:
    """The station at which most of the tower stands."""
    sites = list_sites(kitchen, tower)
    return max(sites, key=lambda s: len(match_tower(kitchen, state, tower, s)))


def match_tower(
    kitchen: Kitchen, state: State, tower: Tower, station: int
) -> list[tuple[int, int]]:
    """(slot number, item) for the items at ``station`` that are in their final place, from the bottom."""
    found = _match_slots(kitchen, state, tower, station)
    leaving = set(_list_leaving(kitchen, state, tower, station, found))
    return [(number, item) for number, item in found if item not in leaving]


def list_in_the_way(kitchen: Kitchen, state: State, tower: Tower, station: int) -> list[int]:
    """Items at ``station`` that must leave before the tower begun there can be finished, from the top.

    Upon the chain these are all items that do not belong there. Further up anything may stay that nothing else
    waits for: an item leaves when a slot is open for its kind and there are too few of that kind elsewhere.
    """
    return _list_leaving(
        kitchen, state, tower, station, _match_slots(kitchen, state, tower, station)
    )


def list_contested(kitchen: Kitchen, state: State, tower: Tower, station: int) -> list[str]:
    """Kinds of which an item lies at ``station`` upon the finished chain, in no slot, though one is open for it.

    Whether such an item stays or leaves depends on how many of its kind there are elsewhere.
    """
    found = _match_slots(kitchen, state, tower, station)
    if len(found) < len(tower.chain):
        return []
    placed, open_kinds = {item for _, item in found}, set(_list_open_kinds(tower, found))
    kinds = [kitchen.item_kinds[i] for i in state.stacks[station] if i not in placed]
    return list(dict.fromkeys(kind for kind in kinds if kind in open_kinds))


def _list_leaving(
    kitchen: Kitchen, state: State, tower: Tower, station: int, found: list[tuple[int, int]]
) -> list[int]:
    stack, placed = state.stacks[station], {item for _, item in found}
    if len(found) < len(tower.chain):
        return list(reversed(stack[len(found) :])) if found else []
    wanted = Counter(_list_open_kinds(tower, found))
    wanted.subtract(
        kind for item, kind in enumerate(kitchen.item_kinds) if item not in stack and wanted[kind]
    )
    lowest = len(stack)
    for height in range(len(stack) - 1, -1, -1):
        kind = kitchen.item_kinds[stack[height]]
        if stack[height] not in placed and wanted[kind] > 0:
            wanted[kind] -= 1
            lowest = height
    return list(reversed(stack[lowest:]))


def _list_open_kinds(tower: Tower, found: list[tuple[int, int]]) -> list[str]:
    """The kinds of the slots that nothing was found for, in order, each as often as it is wanted."""
    filled = {number for number, _ in found}
    return [slot.kind for n, slot in enumerate(tower.slots, start=1) if n not in filled]


def _match_slots(
    kitchen: Kitchen, state: State, tower: Tower, station: int
) -> list[tuple[int, int]]:
    """(slot number, item) for the items at ``station`` that fit, whatever lies between them."""
    found, stack = [], state.stacks[station]
    for number, (item, slot) in enumerate(zip(stack, tower.chain, strict=False), start=1):
        if not fits_slot(kitchen, state, item, slot):
            return found
        found.append((number, item))
    if len(found) < len(tower.chain):
        return found
    open_slots = {len(tower.chain) + n: slot for n, slot in enumerate(tower.loose, start=1)}
    for item in stack[len(found) :]:
        number = next(
            (n for n, slot in open_slots.items() if fits_slot(kitchen, state, item, slot)), None
        )
        if number is not None:
            del open_slots[number]
            found.append((number, item))
        elif (
            tower.top
            and not open_slots
            and item == stack[-1]
            and fits_slot(kitchen, state, item, tower.top)
        ):
            found.append((len(tower.slots), item))
    return found
