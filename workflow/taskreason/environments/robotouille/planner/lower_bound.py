"""A lower bound on the steps to the goal, from counting the items that must still be carried and prepared.

Carrying one item takes four steps: go there, pick it up, go on, put it down. With a single hand these strictly
alternate, and neither an immediate "pick up and put down here" nor its reverse can be part of a shortest plan, so
every two hand movements have a move between them. The bound therefore counts, for every station where the goal's
stack could stand, the items that must leave it and the items that must still come, and multiplies. The only
exceptions (an item cooked or cut where it lies) cost at least the move that they save.

An item that must still be prepared is carried once more, to a station for that, and the actions there are counted:
putting it down, preparing it and picking it up again takes no move, so the way there costs three steps.

Used by the planner; exact for most states of the tasks, never above the true distance.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from ..simulator.domain import PREPARATIONS, Op
from ..simulator.engine import EFFECTS, Kitchen, State
from ..simulator.goal_stack import GoalStack, Slot, compile_stacks, fits_slot, list_stations

DETOUR = 3
"""Steps that carrying an item to where it is prepared adds: to it, pick up, to there; putting down saves a move."""


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

    def count_steps(self, loc: int, hand: int) -> int:
        """The least number of steps that it takes with the robot at a station and something or nothing in its hand."""
        station, carries, extra, picks, fits, raw, saved, spots = self
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


class LowerBound:
    """The lower bound for one kitchen's goal; results for equal stacks are kept.

    detours: count the ways to where items are prepared; without them the bound is lower.
    """

    def __init__(self, kitchen: Kitchen, detours: bool = True):
        self.kitchen, self.detours = kitchen, detours
        targets = compile_stacks(kitchen.goal)
        # An item that lies where it can be cooked or cut needs no carrying, so flags count on tables only.
        flagged = (t for t in targets if any(slot.flags for slot in t.slots))
        self.targets = targets if all(t.station == "table" for t in flagged) else []
        self._ways: dict[tuple, list[Way]] = {}

    def steps(self, state: State) -> int:
        """A number of steps that no plan from ``state`` to the goal can undercut."""
        if not self.targets:
            return 0
        key = (state.stacks, state.flags, state.hand, state.effects)
        ways = self._ways.get(key)
        if ways is None:
            ways = self._ways[key] = _Work(self.kitchen, state, self.detours).list_ways(
                self.targets
            )
        return min(way.count_steps(state.loc, state.hand) for way in ways)


class _Work:
    """What must still be carried and prepared in a state, wherever the robot stands. held: the item in hand, or -1."""

    def __init__(self, kitchen: Kitchen, state: State, detours: bool):
        self.kitchen, self.state, self.detours = kitchen, state, detours
        self.kinds = kitchen.item_kinds
        self.held = state.hand if state.hand < len(self.kinds) else -1
        self.fits = partial(fits_slot, kitchen, state)

    def list_ways(self, targets: list[GoalStack]) -> list[Way]:
        stacks, target = self.state.stacks, targets[0]
        if (
            len(targets) > 1
        ):  # only what is missing from all of them counts: one carry can serve two
            missing = ([len(self._match(s, t.slots)[0]) for s in stacks] for t in targets)
            return [self._build_anywhere(sum(map(min, missing)))]
        if target.station:
            return [self._build(target, s, 0) for s in list_stations(self.kitchen, target)]
        first = target.chain[0]
        found = [
            self._build(target, s, level)
            for s, stack in enumerate(stacks)
            for level, item in enumerate(stack)
            if self.fits(item, first)
        ]
        if self.held >= 0 and self.fits(self.held, first):
            found.append(self._build_anywhere(len(target.chain)))
        return found or [self._build_anywhere(1)]

    def _build_anywhere(self, carries: int) -> Way:
        """Nothing is known but how many items must at least be carried."""
        anywhere = frozenset(range(len(self.kitchen.stations)))
        return Way(-1, carries, picks=anywhere, fits=True, raw=True)

    def _build(self, target: GoalStack, station: int, level: int) -> Way:
        """The stack at ``station``, its chain starting at ``level`` of the items there."""
        stack = self.state.stacks[station][level:]
        good = sum(1 for _ in takewhile(bool, map(self.fits, stack, target.chain)))
        if good < len(target.chain):
            needed, next_slots = list(target.slots[good:]), [target.chain[good]]
            leave, kept = len(stack) - good, set(stack[:good])
        else:
            needed, leave, kept, next_slots = self._build_loose(target, stack[good:])
            kept |= set(stack[:good])
            if not needed and not leave:
                return Way(station, 0)
        blockers, extra, picks, unready, spots = self._supply(needed, kept, station, leave)
        if not needed:
            extra -= 2  # the last item to leave may stay in the hand
        holds, carries = self.held >= 0, leave + len(needed) + blockers
        comes_next = holds and not leave and any(self.fits(self.held, s) for s in next_slots)
        raw = holds and any(self._is_raw(self.held, slot) for slot in needed)
        saved = min(unready, leave + blockers)
        return Way(station, carries, extra, picks, comes_next, raw, saved, spots)

    def _match(self, items: Iterable[int], slots: Iterable[Slot]) -> tuple[list[Slot], set[int]]:
        """Slots that stay open when each item takes the first one that it fits, and the items that took one."""
        missing, placed = list(slots), set()
        for item in items:
            match = next((slot for slot in missing if self.fits(item, slot)), None)
            if match:
                missing.remove(match)
                placed.add(item)
        return missing, placed

    def _is_raw(self, item: int, slot: Slot) -> bool:
        """Whether the item would fit the slot if it were prepared."""
        return self.kinds[item] == slot.kind and not self.fits(item, slot)

    def _build_loose(
        self, target: GoalStack, rest: tuple[int, ...]
    ) -> tuple[list[Slot], int, set[int], list[Slot]]:
        """What is missing above a complete chain: (needed slots, items that must leave, items kept, next slots)."""
        held, top, fits = self.held, target.top, self.fits
        missing, kept = self._match(rest, target.loose)
        if top is None:
            return missing, 0, kept, missing
        if not missing and rest and fits(rest[-1], top):
            return [], 0, kept | {rest[-1]}, []
        tops = [level for level, item in enumerate(rest) if fits(item, top)]
        elsewhere = {item for stack in self.state.stacks for item in stack} - set(rest)
        holds_top = held >= 0 and fits(held, top)
        free = holds_top or any(fits(item, top) for item in elsewhere)
        if tops and not missing:
            above = len(rest) - 1 - tops[-1]
            if not free or (above == 1 and not holds_top):
                return [], above, kept, []
        # If there is no other item for the top, the one in the stack must leave it once.
        return [*missing, top], int(bool(tops) and not free), kept, missing or [top]

    def _supply(
        self, needed: list[Slot], kept: set[int], station: int, leave: int
    ) -> tuple[int, int, frozenset[int], int, frozenset[int]]:
        """(items in the way of the needed ones, steps for preparing them, stations worth starting at, slots for which
        there is an item that must still be prepared, stations at which preparing the held item saves a step)."""
        kinds, depth = {slot.kind for slot in needed}, {}
        picks = {station} if leave else set()
        offers = [(self.held, 0)] if self.held >= 0 else []
        for s, stack in enumerate(self.state.stacks):
            for level, item in enumerate(stack):
                if item not in kept and self.kinds[item] in kinds:
                    picks.add(s)
                    foreign = sum(self.kinds[other] not in kinds for other in stack[level + 1 :])
                    offers.append((item, 0 if s == station else foreign))
        for item, above in offers:
            depth[self.kinds[item]] = min(above, depth.get(self.kinds[item], above))
        short = {slot: needed.count(slot) for slot in set(needed) if slot.flags}
        for slot in short:
            short[slot] -= sum(self.fits(item, slot) for item, _ in offers)
        blockers, spots = max(depth.values(), default=0), frozenset()
        if self.detours:
            idle = [item for item in range(len(self.kinds)) if item not in kept]
            leaving = self.state.stacks[station] if leave else ()
            extra, spots, bound_for = self._count_preparing(short, idle, leaving)
            blockers = max(blockers, self._count_blocking(bound_for, kinds))
            picks |= {s for s, kind in enumerate(self.kitchen.station_kinds) if kind in bound_for}
        else:  # what has a running effect may finish by itself
            effects = {EFFECTS[way.op] for way in PREPARATIONS}
            running = {self.kinds[e[1]] for e in self.state.effects if e[0] in effects}
            extra = sum(number > 0 and slot.kind not in running for slot, number in short.items())
        items = range(len(self.kinds))
        raw = {slot for slot in short if any(self._is_raw(item, slot) for item in items)}
        return blockers, extra, frozenset(picks), sum(slot in raw for slot in needed), spots

    def _count_preparing(
        self, short: dict[Slot, int], idle: list[int], leaving: tuple[int, ...]
    ) -> tuple[int, frozenset[int], set[str]]:
        """(steps for preparing items, stations at which these are one less, kinds of station that one must come to).

        short: of each slot, how many items must still be prepared. idle: items that may fill a slot. leaving: those
        that are carried away anyway, perhaps to be prepared.
        """
        steps, spots, bound_for = 0, frozenset(), set()
        for slot, number in short.items():
            raw = [item for item in idle if self._is_raw(item, slot)]
            costs = [self._prepare_item(item, slot, item in leaving) for item in raw]
            # Of two that cost the same, the one in the hand may cost one less.
            costs.sort(key=lambda entry: (entry[0], not entry[1]))
            for cost, places in costs[: max(0, number)]:
                steps += cost
                spots |= places
            for way in PREPARATIONS:
                lacking = [i for i in raw if slot.flags & ~self.state.flags[i] & way.done]
                if len(raw) - sum(not self._lies_on(way.station, i) for i in lacking) < number:
                    bound_for.add(way.station)
        return steps, spots, bound_for

    def _prepare_item(self, item: int, slot: Slot, leaves: bool) -> tuple[int, frozenset[int]]:
        """Steps to prepare one item beyond carrying it once, and the stations at which these are one less."""
        wanted = [way for way in PREPARATIONS if slot.flags & ~self.state.flags[item] & way.done]
        away = [way for way in wanted if not self._lies_on(way.station, item)]
        steps = DETOUR * len(away)
        for way in wanted:
            done = [e[3] for e in self.state.effects if e[:2] == (EFFECTS[way.op], item)]
            if way.op is Op.cut:
                steps += way.times - sum(done)
            elif not done:
                steps += way.times
        if item == self.held:
            kinds = {way.station for way in wanted}
            spots = [s for s, kind in enumerate(self.kitchen.station_kinds) if kind in kinds]
            return steps - DETOUR + 1, frozenset(spots)
        return steps - DETOUR * (leaves and away == wanted), frozenset()

    def _lies_on(self, kind: str, item: int) -> bool:
        """Whether an item lies directly on a station of a kind."""
        stations = zip(self.kitchen.station_kinds, self.state.stacks, strict=True)
        return any(own == kind and stack[:1] == (item,) for own, stack in stations)

    def _count_blocking(self, bound_for: set[str], kinds: set[str]) -> int:
        """Items, not of the needed kinds, that must leave a station so that others can be prepared there."""
        heights = defaultdict(list)
        for kind, stack in zip(self.kitchen.station_kinds, self.state.stacks, strict=True):
            if kind in bound_for:
                heights[kind].append(sum(self.kinds[item] not in kinds for item in stack))
        return max(map(min, heights.values()), default=0)
