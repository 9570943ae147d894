"""What a state means for the counting of visits: where things are, what is free, and what one item still costs."""

from typing import NamedTuple

from ..simulator.domain import PREPARATIONS, Flag, Op
from ..simulator.engine import EFFECTS, Kitchen, State
from ..simulator.goal_stack import Slot

NEVER = 10_000
"""Steps to what can't be reached."""
CARRY = 4
"""Steps to carry one thing: go there, pick it up, go on, put it down."""


class Way(NamedTuple):
    """A preparation with flags as plain numbers. raw: flags of which one says that an item may come to it."""

    kind: int
    station: str
    raw: int
    ready: int
    done: int
    times: int


WAYS = tuple(
    Way(
        kind=EFFECTS[way.op],
        station=way.station,
        raw=int(way.raw | (Flag.isfryableifcut if way.op is Op.fry else 0)),
        ready=int(way.raw),
        done=int(way.done),
        times=way.times,
    )
    for way in PREPARATIONS
)
CUT, FRIED = int(Flag.iscut), int(Flag.isfried)
FRYABLE, FRYABLE_IF_CUT = int(Flag.isfryable), int(Flag.isfryableifcut)


def list_bits(kitchen: Kitchen) -> dict[str, int]:
    """The stations of each kind, one bit each: the second and the third of three may be tables, ``{"table": 6}``."""
    kinds = kitchen.station_kinds
    return {kind: sum(1 << s for s, own in enumerate(kinds) if own == kind) for kind in {*kinds}}


class Scene:
    """One state. held: the item in hand, or -1. where: station and level of each item that lies. gone: item -> meal.

    Stations in bits. bare: with nothing on them; free: on which an item can be put; wet: with a pot for it.
    """

    def __init__(self, kitchen: Kitchen, state: State, at: dict[str, int]):
        self.kitchen, self.state, self.at = kitchen, state, at
        self.kinds, self.flags = kitchen.item_kinds, state.flags
        self.held = state.hand if state.hand < len(state.flags) else -1
        stacks = enumerate(state.stacks)
        self.where = {i: (s, level) for s, stack in stacks for level, i in enumerate(stack)}
        self.gone = dict(state.added)
        self.all = (1 << len(state.stacks)) - 1
        taken, self.wet = 0, 0
        for kind, (place, meal) in zip(kitchen.container_kinds, state.containers, strict=True):
            if place >= 0:
                taken |= 1 << place
                self.wet |= (kind == "pot" and meal >= 0) << place
        self.free = self.all & ~taken
        self.bare = self.free & ~sum(1 << s for s, stack in enumerate(state.stacks) if stack)
        self._carried: dict[tuple[int, int], tuple[int, int]] = {}

    def fits(self, item: int, slot: Slot) -> bool:
        """Whether an item is of the slot's kind and has its flags."""
        return self.kinds[item] == slot.kind and self.flags[item] & slot.flags == slot.flags

    def list_lacking(self, item: int, wanted: int) -> list[Way] | None:
        """The ways by which an item must still come by flags; None where it can't."""
        flags = self.flags[item]
        lacking = wanted & ~flags
        if lacking & FRIED and flags & FRYABLE_IF_CUT and not flags & (FRYABLE | CUT):
            lacking |= CUT
        ways = []
        for way in WAYS:
            if lacking & way.done:
                if not flags & way.raw or way.station not in self.at:
                    return None
                ways.append(way)
                lacking &= ~way.done
        return None if lacking else ways

    def carry(self, item: int, wanted: int) -> tuple[int, int]:
        """(steps, carryings) to bring an item elsewhere with some flags, as if it lay there and the robot were away."""
        key = (item, wanted)
        found = self._carried.get(key)
        if found is None:
            found = self._carried[key] = self._count_carrying(item, wanted)
        return found

    def is_running(self, item: int, way: Way) -> bool:
        """Whether the item is being cooked or fried where it lies, so that it is of no use to pick it up."""
        station, _ = self.where[item]
        return any(e[:3] == (way.kind, item, station) for e in self.state.effects)

    def _count_carrying(self, item: int, wanted: int) -> tuple[int, int]:
        ways = self.list_lacking(item, wanted)
        if ways is None:
            return NEVER, 0
        station, level = self.where.get(item, (-1, -1))
        carries, steps = 1 + len(ways), 0
        for way in ways:
            started = [e[3] for e in self.state.effects if e[0] == way.kind and e[1] == item]
            here = level == 0 and self.at[way.station] >> station & 1
            here = here and self.flags[item] & way.ready > 0
            carries -= here
            if way.done == CUT:
                steps += way.times - sum(started)
                # Cut at once and picked up again, it needs no visit of its own for that.
                steps -= not here
            elif started:  # it may be ready as soon as it is put down
                steps -= not here
            else:
                # Where it lies already, one more visit is made only to start (or three steps are waited).
                steps += way.times + here
        return steps + CARRY * carries, carries
