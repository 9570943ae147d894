"""A lower bound on the steps to the goal, from counting the items that must still be carried.

Carrying one item takes four steps: go there, pick it up, go on, put it down. With a single hand these strictly
alternate, and neither an immediate "pick up and put down here" nor its reverse can be part of a shortest plan, so
every two hand movements have a move between them. The bound therefore counts, for every station where the goal's
stack could stand, the items that must leave it and the items that must still come, and multiplies. The only
exceptions (an item cooked or cut where it lies) cost at least the move that they save. What cooking, cutting and
frying add is counted by `preparation_cost`.

Used by the planner; exact for most states of the tasks, never above the true distance.
"""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from ..simulator.engine import Kitchen, State
from ..simulator.goal_stack import GoalStack, Slot, compile_stacks, fits_slot, list_stations
from .preparation_cost import count_blocking, count_preparing, is_in_progress


class Way(NamedTuple):
    """One way to build what the goal asks for; -1 as the station, where it is not said.

    carries: items to carry; extra: further steps; picks: stations worth starting at; fits: whether the held item comes
    next, raw: whether it must still be prepared; saved: moves that need not be; spots: stations at which preparing the
    held item saves a step.
    """

    station: int
    carries: int
    extra: int = 0
    picks: frozenset[int] = frozenset()
    fits: bool = False
    raw: bool = False
    saved: int = 0
    spots: frozenset[int] = frozenset()


class LowerBound:
    """The lower bound for one kitchen's goal; results for equal stacks are kept.

    detours: count the ways to where items are prepared; without them the bound is lower.
    """

    def __init__(self, kitchen: Kitchen, detours: bool = True):
        self.kitchen = kitchen
        self.detours = detours
        targets = compile_stacks(kitchen.goal)
        # An item that lies where it can be cooked or cut needs no carrying, so flags count on tables only.
        exact = all(target.station == "table" or not target.flagged for target in targets)
        self.targets = targets if exact else []
        self._ways: dict[tuple, list[Way]] = {}

    def steps(self, state: State) -> int:
        """A number of steps that no plan from ``state`` to the goal can undercut."""
        if not self.targets:
            return 0
        key = (state.stacks, state.flags, state.hand, state.effects)
        ways = self._ways.get(key)
        if ways is None:
            ways = self._ways[key] = self._list_ways(state)
        return min(self._count_steps(way, state.loc, state.hand) for way in ways)

    @staticmethod
    def _count_steps(way: Way, loc: int, hand: int) -> int:
        station, carries, extra, picks, fits, raw, saved, spots = way
        if not carries:
            return extra
        if loc in spots:
            extra -= 1
        if hand < 0:
            return 4 * carries - (loc in picks) + extra - saved
        # A held item that must still be prepared can be put down, finished and picked up without a move.
        dump = 4 * carries + (not raw) - saved
        if fits:
            return min(dump, 1 + (station >= 0 and loc != station) + 4 * (carries - 1)) + extra
        return dump + extra

    def _list_ways(self, state: State) -> list[Way]:
        if len(self.targets) > 1:
            return [self._build_several(state)]
        target, kitchen = self.targets[0], self.kitchen
        if target.station:
            stations = list_stations(kitchen, target)
            return [self._build(state, target, station, 0) for station in stations]
        first = target.chain[0]
        found = [
            self._build(state, target, s, level)
            for s, stack in enumerate(state.stacks)
            for level, item in enumerate(stack)
            if fits_slot(kitchen, state, item, first)
        ]
        if self._holds_item(state) and fits_slot(kitchen, state, state.hand, first):
            found.append(self._build_anywhere(len(target.chain)))
        return found or [self._build_anywhere(1)]

    def _build_anywhere(self, carries: int) -> Way:
        """Nothing is known but how many items must at least be carried."""
        anywhere = frozenset(range(len(self.kitchen.stations)))
        return Way(-1, carries, picks=anywhere, fits=True, raw=True)

    def _build_several(self, state: State) -> Way:
        """Several stacks: only what is missing from all of them counts, since one carry can serve two."""
        carries = 0
        for target in self.targets:
            missing = (len(self._match(state, stack, target.slots)[0]) for stack in state.stacks)
            carries += min(missing, default=len(target.slots))
        return self._build_anywhere(carries)

    def _match(
        self, state: State, items: Iterable[int], slots: Iterable[Slot]
    ) -> tuple[list[Slot], set[int]]:
        """Slots that stay open when each item takes the first one that it fits, and the items that took one."""
        missing, placed = list(slots), set()
        for item in items:
            match = next((s for s in missing if fits_slot(self.kitchen, state, item, s)), None)
            if match:
                missing.remove(match)
                placed.add(item)
        return missing, placed

    def _holds_item(self, state: State) -> bool:
        return 0 <= state.hand < len(self.kitchen.items)

    def _build(self, state: State, target: GoalStack, station: int, level: int) -> Way:
        """The stack at ``station``, its chain starting at ``level`` of the items there."""
        hand, fits = state.hand, partial(fits_slot, self.kitchen, state)
        stack = state.stacks[station][level:]
        good = 0
        for item, slot in zip(stack, target.chain, strict=False):
            if not fits(item, slot):
                break
            good += 1
        if good < len(target.chain):
            needed, next_slots = list(target.slots[good:]), [target.chain[good]]
            leave, kept = len(stack) - good, set(stack[:good])
        else:
            needed, leave, kept, next_slots = self._loose_part(state, target, stack[good:])
            kept |= set(stack[:good])
            if not needed and not leave:
                return Way(station, 0)
        holds_item = self._holds_item(state)
        blockers, extra, picks, unready, spots = self._supply(state, needed, kept, station, leave)
        if not needed:
            extra -= 2  # the last item to leave may stay in the hand
        comes_next = holds_item and not leave and any(fits(hand, slot) for slot in next_slots)
        raw = holds_item and self._is_raw(state, hand, needed)
        carries, saved = leave + len(needed) + blockers, min(unready, leave + blockers)
        return Way(station, carries, extra, picks, comes_next, raw, saved, spots)

    def _is_raw(self, state: State, item: int, slots: Iterable[Slot]) -> bool:
        """Whether the item would fit one of the slots if it were prepared."""
        kitchen, kind = self.kitchen, self.kitchen.item_kinds[item]
        return any(s.kind == kind and not fits_slot(kitchen, state, item, s) for s in slots)

    def _loose_part(
        self, state: State, target: GoalStack, rest: tuple[int, ...]
    ) -> tuple[list[Slot], int, set[int], list[Slot]]:
        """What is missing above a complete chain: (needed slots, items that must leave, items kept, next slots)."""
        held, top, fits = state.hand, target.top, partial(fits_slot, self.kitchen, state)
        missing, kept = self._match(state, rest, target.loose)
        if top is None:
            return missing, 0, kept, missing
        if not missing and rest and fits(rest[-1], top):
            return [], 0, kept | {rest[-1]}, []
        tops = [level for level, item in enumerate(rest) if fits(item, top)]
        elsewhere = {item for stack in state.stacks for item in stack} - set(rest)
        holds_top = self._holds_item(state) and fits(held, top)
        free = holds_top or any(fits(item, top) for item in elsewhere)
        leave = 0
        if tops:
            above = len(rest) - 1 - tops[-1]
            if not missing and (not free or (above == 1 and not holds_top)):
                return [], above, kept, []
            if not free:
                leave = 1  # the only item for the top lies in the stack and must leave it once
        return [*missing, top], leave, kept, missing or [top]

    def _supply(
        self, state: State, needed: list[Slot], kept: set[int], station: int, leave: int
    ) -> tuple[int, int, frozenset[int], int, frozenset[int]]:
        """(items in the way of the needed ones, steps for preparing them, stations worth starting at, slots for which
        there is an item that must still be prepared, stations at which preparing the held item saves a step)."""
        kitchen, item_kinds = self.kitchen, self.kitchen.item_kinds
        wanted, kinds = set(needed), {slot.kind for slot in needed}
        picks = {station} if leave else set()
        depth: dict[Slot, int] = {}
        ready = dict.fromkeys(wanted, 0)

        def offer(item: int, above: int) -> None:
            for slot in wanted:
                if slot.kind == item_kinds[item]:
                    depth[slot] = min(above, depth.get(slot, above))
                    ready[slot] += fits_slot(kitchen, state, item, slot)

        for s, stack in enumerate(state.stacks):
            for level, item in enumerate(stack):
                if item in kept or item_kinds[item] not in kinds:
                    continue
                picks.add(s)
                foreign = sum(item_kinds[other] not in kinds for other in stack[level + 1 :])
                offer(item, 0 if s == station else foreign)
        if self._holds_item(state):
            offer(state.hand, 0)
        short = {slot: needed.count(slot) - ready[slot] for slot in wanted if slot.flags}
        spots: frozenset[int] = frozenset()
        blockers = max(depth.values(), default=0)
        if self.detours:
            idle = [item for item in range(len(item_kinds)) if item not in kept]
            leaving = state.stacks[station] if leave else ()
            extra, spots, bound_for = count_preparing(kitchen, state, short, idle, leaving)
            blockers = max(blockers, count_blocking(kitchen, state, bound_for, kinds))
            picks |= {s for s, kind in enumerate(kitchen.station_kinds) if kind in bound_for}
        else:
            extra = sum(
                number > 0 and not is_in_progress(kitchen, state, slot)
                for slot, number in short.items()
            )
        items = range(len(item_kinds))
        raw = {s for s in short if any(self._is_raw(state, item, [s]) for item in items)}
        unready = sum(slot in raw for slot in needed)
        return blockers, extra, frozenset(picks), unready, spots
