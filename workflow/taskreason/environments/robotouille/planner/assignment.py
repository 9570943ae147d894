"""Which item of a kind goes into which slot: all cheapest choices at once.

A solver for assignments (scipy has one) finds a single cheapest choice; here those of all cheapest ones are told apart,
and two items that change places cost more than both alone. There are few items of a kind, so all choices are tried.
"""

from functools import lru_cache
from itertools import permutations
from math import perm
from typing import NamedTuple

from .scene import CARRY, NEVER

MOST = 5000
"""Choices beyond which only a lower bound on the cheapest is taken."""


class Choice(NamedTuple):
    """least: the sum of costs. moved: items that cost something in a cheapest choice (bits). taken: for each item the
    slots (bits) into which it goes in one; the bit after the last slot stands for none. swapped: whether two items
    change places in one."""

    least: int
    moved: int
    taken: tuple[int, ...]
    swapped: bool = False


@lru_cache(maxsize=100_000)
def choose_items(
    rows: tuple[tuple[int, ...], ...],
    idle: tuple[int, ...],
    sources: tuple[int, ...],
    targets: tuple[int, ...],
) -> Choice:
    """The cheapest choices of one item for each slot.

    rows: for each slot, what each item costs there. idle: what each costs that goes into none. sources: the dish at
    whose station each item lies, targets: the dish at whose station each slot is; -1 for none. Where one item goes
    straight from the first dish to the second and another one the other way, neither can come first, so one more
    carrying is needed.

    For example two slots, of which the second holds the first item: in ``choose_items(((4, 4), (0, 4)), (0, 0),
    (-1, -1), (-1, -1))`` the least sum is 4, and only the second item moves.
    """
    count, width = len(idle), len(rows)
    if perm(count, width) > MOST:
        least = sum(idle) + sum(min(c - i for c, i in zip(row, idle, strict=True)) for row in rows)
        return Choice(least, (1 << count) - 1, ((2 << width) - 1,) * count, True)
    base = sum(idle)
    best, moved, taken, swapped = NEVER, 0, [0] * count, False
    for chosen in permutations(range(count), width):
        cost = base
        for row, item in zip(rows, chosen, strict=True):
            cost += row[item] - idle[item]
        if cost > best or cost >= NEVER:
            continue
        straight = {
            (sources[item], target)
            for row, item, target in zip(rows, chosen, targets, strict=True)
            if row[item] == CARRY and sources[item] >= 0 <= target
        }
        swaps = sum((b, a) in straight for a, b in straight if a < b)
        cost += CARRY * swaps
        if cost > best:
            continue
        if cost < best:
            best, moved, taken, swapped = cost, 0, [0] * count, False
        swapped = swapped or swaps > 0
        slots = {item: slot for slot, item in enumerate(chosen)}
        for item in range(count):
            slot = slots.get(item, width)
            moved |= ((rows[slot][item] if slot < width else idle[item]) > 0) << item
            taken[item] |= 1 << slot
    return Choice(best, moved, tuple(taken), swapped)
