"""The stacks that a goal asks for: read from its terms, and, in a kitchen, which of their slots are filled at a
station and what stands in the way there.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from .domain import Flag
from .engine import Kitchen, State
from .goal import Goal

FLAG_BITS = {flag.name: int(flag) for flag in Flag}


@dataclass(frozen=True)
class Slot:
    """One place in a stack: the kind of item, and the flags that it must have."""

    kind: str
    flags: int


@dataclass(frozen=True)
class GoalStack:
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


def compile_stacks(goal: Goal) -> list[GoalStack]:
    """The goal's terms as stacks; none when it has terms of another sort (containers, meals, the robot)."""
    if {name for name, _ in goal.terms} - {"item_on", "item_at", "atop", "clear", *FLAG_BITS}:
        return []
    return build_stacks(goal.terms, goal.kinds)


def build_stacks(listed: list[tuple[str, tuple]], kinds: dict[int | str, str]) -> list[GoalStack]:
    """The stacks that terms (predicate, ids) about items and stations ask for, with the kind of each id."""
    terms, flags = defaultdict(list), Counter()
    for predicate, ids in listed:
        terms[predicate].append(ids)
        flags[ids[0]] |= FLAG_BITS.get(predicate, 0)
    base = {station: item for item, station in terms["item_on"]}
    above = {lower: upper for upper, lower in terms["atop"]}

    def fill(keys: list[int]) -> tuple[Slot, ...]:
        return tuple(Slot(kinds[key], flags[key]) for key in keys)

    def chain_from(key: int) -> list[int]:
        chain = [key]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
        return chain

    stacks, placed = [], set()
    for station in {*base, *(place for _, place in terms["item_at"])}:
        chain = chain_from(base[station]) if station in base else []
        at = [item for item, place in terms["item_at"] if place == station and item not in chain]
        top = [key for key in at if (key,) in terms["clear"]][:1]
        placed |= {*chain, *at}
        loose = [key for key in at if key not in top]
        stacks.append(GoalStack(kinds[station], fill(chain), fill(loose), *fill(top)))
    for key in [k for k in above if k not in above.values() and k not in placed]:
        stacks.append(GoalStack(None, fill(chain_from(key))))
    return stacks


def find_target(goal: Goal) -> GoalStack | None:
    """The goal where it is one stack on a kind of station, of any items of their kinds; None for any other goal."""
    stacks = compile_stacks(goal)
    return stacks[0] if len(stacks) == 1 and stacks[0].station and not goal.fixed else None


def fits_slot(kitchen: Kitchen, state: State, item: int, slot: Slot) -> bool:
    """Whether an item is of the slot's kind and has its flags."""
    return kitchen.item_kinds[item] == slot.kind and state.flags[item] & slot.flags == slot.flags


def list_stations(kitchen: Kitchen, target: GoalStack) -> list[int]:
    """Stations on which the stack may stand."""
    return [s for s, kind in enumerate(kitchen.station_kinds) if kind == target.station]


class Site(NamedTuple):
    """A station at which a stack may be built, in a state."""

    kitchen: Kitchen
    state: State
    target: GoalStack
    station: int

    @property
    def stack(self) -> tuple[int, ...]:
        """The items there, from the bottom."""
        return self.state.stacks[self.station]

    def list_placed(self) -> list[tuple[int, int]]:
        """(slot number, item) for the items that are in their final place, from the bottom."""
        found = self._match_slots()
        leaving = set(self._list_leaving(found))
        return [(number, item) for number, item in found if item not in leaving]

    def list_in_the_way(self) -> list[int]:
        """Items that must leave before the stack begun here can be finished, from the top.

        Upon the chain these are all items that do not belong there. Further up anything may stay that nothing else
        waits for: an item leaves when a slot is open for its kind and there are too few of that kind elsewhere.
        """
        return self._list_leaving(self._match_slots())

    def list_contested(self) -> list[str]:
        """Kinds of which an item lies upon the finished chain, in no slot, though one is open for it.

        Whether such an item stays or leaves depends on how many of its kind there are elsewhere.
        """
        found = self._match_slots()
        if len(found) < len(self.target.chain):
            return []
        placed, open_kinds = {item for _, item in found}, self._count_open_kinds(found)
        kinds = [self.kitchen.item_kinds[i] for i in self.stack if i not in placed]
        return list(dict.fromkeys(kind for kind in kinds if kind in open_kinds))

    def _list_leaving(self, found: list[tuple[int, int]]) -> list[int]:
        stack, placed, kinds = self.stack, {item for _, item in found}, self.kitchen.item_kinds
        lowest = len(stack)
        if len(found) < len(self.target.chain):
            lowest = len(found) or lowest
        else:
            wanted = self._count_open_kinds(found)
            wanted.subtract(k for i, k in enumerate(kinds) if i not in stack and wanted[k])
            for height in range(len(stack) - 1, -1, -1):
                kind = kinds[stack[height]]
                if stack[height] not in placed and wanted[kind] > 0:
                    wanted[kind] -= 1
                    lowest = height
        return list(reversed(stack[lowest:]))

    def _count_open_kinds(self, found: list[tuple[int, int]]) -> Counter[str]:
        """How many slots of each kind nothing was found for."""
        filled = {number for number, _ in found}
        return Counter(s.kind for n, s in enumerate(self.target.slots, 1) if n not in filled)

    def _match_slots(self) -> list[tuple[int, int]]:
        """(slot number, item) for the items that fit, whatever lies between them."""
        target, stack = self.target, self.stack
        fits = partial(fits_slot, self.kitchen, self.state)
        chained = sum(1 for _ in takewhile(bool, map(fits, stack, target.chain)))
        found = list(enumerate(stack[:chained], start=1))
        if chained < len(target.chain):
            return found
        open_slots = dict(enumerate(target.loose, start=chained + 1))
        for item in stack[chained:]:
            number = next((n for n, slot in open_slots.items() if fits(item, slot)), None)
            if number is not None:
                del open_slots[number]
                found.append((number, item))
            elif target.top and not open_slots and item == stack[-1] and fits(item, target.top):
                found.append((len(target.slots), item))
        return found


def find_site(kitchen: Kitchen, state: State, target: GoalStack) -> Site:
    """Where most of the stack stands."""
    sites = (Site(kitchen, state, target, s) for s in list_stations(kitchen, target))
    return max(sites, key=lambda site: len(site.list_placed()))
