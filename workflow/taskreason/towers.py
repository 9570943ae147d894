"""A goal's tower in a kitchen: which of its slots are filled at a station, and what stands in the way."""

from collections import Counter

from taskreason.kitchen.engine import Kitchen, State
from taskreason.transfers import Slot, Tower


def number_slots(tower: Tower) -> list[Slot]:
    """The tower's slots in the order in which the goal's text numbers them, from 1."""
    return [*tower.chain, *tower.loose, *([tower.top] if tower.top else [])]


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
    return [slot.kind for n, slot in enumerate(number_slots(tower), start=1) if n not in filled]


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
            found.append((len(number_slots(tower)), item))
    return found
