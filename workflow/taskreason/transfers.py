"""A lower bound on the steps to the goal, from counting the items that must still be carried.

Carrying one item takes four steps: go there, pick it up, go on, put it down. With a single hand these strictly
alternate, and neither an immediate "pick up and put down here" nor its reverse can be part of a shortest plan, so
every two hand movements have a move between them. The bound therefore counts, for every station where the goal's
tower could stand, the items that must leave it and the items that must still come, and multiplies. The only
exceptions (an item cooked or cut where it lies) cost at least the move that they save.

An item that must still be cooked, cut or fried is carried once more, to a station for that, and the actions there are
counted: putting it down, treating it and picking it up again takes no move, so the way there costs three steps.

Used by the planner; exact for most states of the four tasks, never above the true distance.
"""

from dataclasses import dataclass

from taskreason.kitchen.domain import CUTS, Flag
from taskreason.kitchen.effects import COOK, CUT, FRY

FLAG_TERMS = {flag.name: int(flag) for flag in Flag}
TOWER_TERMS = {"item_on", "item_at", "atop", "clear", *FLAG_TERMS}
DETOUR = 3
"""Steps that carrying an item to where it is treated adds: to it, pick up, to there; putting down saves a move."""


@dataclass(frozen=True)
class Treatment:
    """How an item comes by a flag: lying on a station of a kind, by so many actions; effect: what counts them."""

    flag: Flag
    station: str
    effect: int
    actions: int


TREATMENTS = (
    Treatment(Flag.iscooked, "stove", COOK, 1),
    Treatment(Flag.iscut, "board", CUT, CUTS),
    Treatment(Flag.isfried, "fryer", FRY, 1),
)


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
    def flagged(self) -> bool:
        """Whether any slot asks for a flag such as iscooked."""
        slots = [*self.chain, *self.loose, *([self.top] if self.top else [])]
        return any(slot.flags for slot in slots)


def compile_towers(goal) -> list[Tower] | None:
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


class TransferBound:
    """The lower bound for one kitchen's goal; results for equal stacks are kept.

    detours: count the ways to where items are treated; without them the bound is lower.
    """

    def __init__(self, kitchen, detours: bool = True):
        self.kitchen = kitchen
        self.detours = detours
        towers = compile_towers(kitchen.goal) or []
        # An item that lies where it can be cooked or cut needs no carrying, so flags count on tables only.
        exact = all(tower.station == "table" or not tower.flagged for tower in towers)
        self.towers = towers if exact else []
        self._options: dict[tuple, list[tuple]] = {}

    def steps(self, state) -> int:
        """A number of steps that no plan from ``state`` to the goal can undercut."""
        if not self.towers:
            return 0
        key = (state.stacks, state.flags, state.hand, state.effects)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = self._list_options(state)
        return min(self._option_steps(option, state.loc, state.hand) for option in options)

    @staticmethod
    def _option_steps(option, loc: int, hand: int) -> int:
        station, carries, extra, picks, fits, raw, saved, spots = option
        if not carries:
            return extra
        if loc in spots:
            extra -= 1
        if hand < 0:
            return 4 * carries - (loc in picks) + extra - saved
        # A held item that must still be treated can be put down, finished and picked up without a move.
        dump = 4 * carries + (not raw) - saved
        if fits:
            return min(dump, 1 + (station >= 0 and loc != station) + 4 * (carries - 1)) + extra
        return dump + extra

    def _list_options(self, state) -> list[tuple]:
        """Ways to build: (station, items to carry, further steps, stations to start at, held item fits, held item must
        be treated, moves that need not be, stations at which treating the held item saves one)."""
        if len(self.towers) > 1:
            return [self._several(state)]
        tower = self.towers[0]
        kinds = self.kitchen.station_kinds
        if tower.station is None:
            anywhere = frozenset(range(len(kinds)))
            found = [
                self._option(state, tower, s, level)
                for s, stack in enumerate(state.stacks)
                for level in range(len(stack))
                if self._matches(state, stack[level], tower.chain[0])
            ]
            if 0 <= state.hand < len(self.kitchen.items) and self._matches(
                state, state.hand, tower.chain[0]
            ):
                found.append((-1, len(tower.chain), 0, anywhere, True, True, 0, frozenset()))
            return found or [(-1, 1, 0, anywhere, True, True, 0, frozenset())]
        return [
            self._option(state, tower, s, 0)
            for s, kind in enumerate(kinds)
            if kind == tower.station
        ]

    def _matches(self, state, item: int, slot: Slot) -> bool:
        return (
            self.kitchen.item_kinds[item] == slot.kind
            and state.flags[item] & slot.flags == slot.flags
        )

    def _several(self, state) -> tuple:
        """Several towers: only what is missing from all of them counts, since one carry can serve two."""
        carries = 0
        for tower in self.towers:
            slots = [*tower.chain, *tower.loose, *([tower.top] if tower.top else [])]
            best = len(slots)
            for stack in state.stacks:
                rest = list(slots)
                for item in stack:
                    match = next((slot for slot in rest if self._matches(state, item, slot)), None)
                    if match:
                        rest.remove(match)
                best = min(best, len(rest))
            carries += best
        anywhere = frozenset(range(len(state.stacks)))
        return (-1, carries, 0, anywhere, True, True, 0, frozenset())

    def _option(self, state, tower: Tower, station: int, level: int) -> tuple:
        """One way to build: ``tower`` at ``station``, its chain starting at ``level`` of the stack there."""
        stack = state.stacks[station][level:]
        good = 0
        while good < min(len(stack), len(tower.chain)) and self._matches(
            state, stack[good], tower.chain[good]
        ):
            good += 1
        needed = list(tower.chain[good:])
        if not needed and not tower.loose and tower.top is None:
            return (station, 0, 0, frozenset(), False, False, 0, frozenset())
        next_slots = needed[:1]
        if needed:
            leave = len(stack) - good
            kept = set(stack[:good])
            needed += [*tower.loose, *([tower.top] if tower.top else [])]
        else:
            needed, leave, kept, next_slots = self._loose_part(state, tower, stack[good:])
            kept |= set(stack[:good])
            if not needed and not leave:
                return (station, 0, 0, frozenset(), False, False, 0, frozenset())
        fits = not leave and state.hand >= 0 and self._held_fits(state, next_slots)
        blockers, extra, picks, unready, spots = self._supply(state, needed, kept, station, leave)
        if not needed:
            extra -= 2  # the last item to leave may stay in the hand
        raw = 0 <= state.hand < len(self.kitchen.items) and any(
            slot.kind == self.kitchen.item_kinds[state.hand]
            and not self._matches(state, state.hand, slot)
            for slot in needed
        )
        return (
            station,
            leave + len(needed) + blockers,
            extra,
            picks,
            fits,
            raw,
            min(unready, leave + blockers),
            spots,
        )

    def _held_fits(self, state, slots) -> bool:
        return state.hand < len(self.kitchen.items) and any(
            self._matches(state, state.hand, slot) for slot in slots
        )

    def _loose_part(self, state, tower: Tower, rest: tuple[int, ...]):
        """What is missing above a complete chain: (needed slots, items that must leave, items kept, next slots)."""
        missing, kept = list(tower.loose), set()
        for item in rest:
            match = next((slot for slot in missing if self._matches(state, item, slot)), None)
            if match:
                missing.remove(match)
                kept.add(item)
        top = tower.top
        if top is None:
            return missing, 0, kept, missing
        if not missing and rest and self._matches(state, rest[-1], top):
            return [], 0, kept | {rest[-1]}, []
        tops = [level for level, item in enumerate(rest) if self._matches(state, item, top)]
        held = state.hand
        free = sum(
            self._matches(state, item, top)
            for item in range(len(self.kitchen.items))
            if item not in rest and (item == held or any(item in stack for stack in state.stacks))
        )
        leave = 0
        if tops:
            above = len(rest) - 1 - tops[-1]
            holds_top = 0 <= held < len(self.kitchen.items) and self._matches(state, held, top)
            if not missing and (not free or (above == 1 and not holds_top)):
                return [], above, kept, []
            if not free:
                leave = 1  # the only item for the top lies in the stack and must leave it once
        return [*missing, top], leave, kept, missing or [top]

    def _supply(self, state, needed, kept, station: int, leave: int):
        """Items in the way of the needed ones, steps for cooking and cutting, and stations worth starting at."""
        kinds = {slot.kind for slot in needed}
        item_kinds = self.kitchen.item_kinds
        picks = {station} if leave else set()
        depth: dict[Slot, int] = {}
        ready: dict[Slot, int] = {}
        for s, stack in enumerate(state.stacks):
            for level, item in enumerate(stack):
                if item in kept or item_kinds[item] not in kinds:
                    continue
                picks.add(s)
                above = (
                    0
                    if s == station
                    else sum(item_kinds[other] not in kinds for other in stack[level + 1 :])
                )
                for slot in set(needed):
                    if slot.kind == item_kinds[item]:
                        depth[slot] = min(above, depth.get(slot, 99))
                        ready[slot] = ready.get(slot, 0) + self._matches(state, item, slot)
        if 0 <= state.hand < len(item_kinds):
            for slot in set(needed):
                if slot.kind == item_kinds[state.hand]:
                    depth[slot] = 0
                    ready[slot] = ready.get(slot, 0) + self._matches(state, state.hand, slot)
        short = {
            slot: needed.count(slot) - ready.get(slot, 0) for slot in set(needed) if slot.flags
        }
        spots: frozenset[int] = frozenset()
        blockers = max(depth.values(), default=0)
        if self.detours:
            idle = [item for item in range(len(item_kinds)) if item not in kept]
            leaving = state.stacks[station] if leave else ()
            extra, spots, bound_for = self._treat(state, short, idle, leaving)
            blockers = max(blockers, self._clear_way(state, bound_for, kinds))
            picks |= {s for s, kind in enumerate(self.kitchen.station_kinds) if kind in bound_for}
        else:
            extra = sum(
                1
                for slot, number in short.items()
                if number > 0 and not self._in_progress(state, slot)
            )
        unready = sum(
            any(
                self._matches(state, item, Slot(slot.kind, 0))
                and not self._matches(state, item, slot)
                for item in range(len(item_kinds))
            )
            for slot in needed
        )
        return blockers, extra, frozenset(picks), unready, spots

    def _treat(self, state, short: dict[Slot, int], idle: list[int], leaving: tuple[int, ...]):
        """(steps for so many items of each slot that must still be treated, stations at which there is one less, kinds
        of station to which one has to be brought).

        idle: items that may fill a slot; leaving: those that are carried away anyway, perhaps to be treated.
        """
        steps, spots, bound_for = 0, frozenset(), set()
        for slot, number in short.items():
            raw = [
                item
                for item in idle
                if self.kitchen.item_kinds[item] == slot.kind
                and not self._matches(state, item, slot)
            ]
            costs = [self._treat_item(state, item, slot, item in leaving) for item in raw]
            # Of two that cost the same, the one in the hand may cost one less.
            costs.sort(key=lambda entry: (entry[0], not entry[1]))
            for cost, places in costs[: max(0, number)]:
                steps += cost
                spots |= places
            for treatment in TREATMENTS:
                lacking = [i for i in raw if slot.flags & ~state.flags[i] & treatment.flag]
                there = len(raw) - sum(not self._lies_on(state, i, treatment) for i in lacking)
                if there < number:
                    bound_for.add(treatment.station)
        return steps, spots, bound_for

    def _treat_item(self, state, item: int, slot: Slot, leaves: bool) -> tuple[int, frozenset[int]]:
        """Steps to treat one item beyond carrying it once, and the stations at which these are one less."""
        wanted = [t for t in TREATMENTS if slot.flags & ~state.flags[item] & t.flag]
        away = [t for t in wanted if not self._lies_on(state, item, t)]
        steps = DETOUR * len(away)
        for treatment in wanted:
            done = [e[3] for e in state.effects if e[0] == treatment.effect and e[1] == item]
            if treatment.effect == CUT:
                steps += treatment.actions - sum(done)
            elif not done:
                steps += treatment.actions
        if item == state.hand:
            kinds = {treatment.station for treatment in wanted}
            spots = [s for s, kind in enumerate(self.kitchen.station_kinds) if kind in kinds]
            return steps - DETOUR + 1, frozenset(spots)
        return steps - DETOUR * (leaves and away == wanted), frozenset()

    def _lies_on(self, state, item: int, treatment: Treatment) -> bool:
        """Whether an item lies directly on a station for a treatment."""
        return any(
            kind == treatment.station and stack and stack[0] == item
            for kind, stack in zip(self.kitchen.station_kinds, state.stacks, strict=True)
        )

    def _clear_way(self, state, bound_for: set[str], kinds: set[str]) -> int:
        """Items, not of the needed kinds, that must leave a station so that others can be treated there."""
        most = 0
        for wanted in bound_for:
            heights = [
                sum(self.kitchen.item_kinds[item] not in kinds for item in stack)
                for kind, stack in zip(self.kitchen.station_kinds, state.stacks, strict=True)
                if kind == wanted
            ]
            most = max(most, min(heights, default=0))
        return most

    def _in_progress(self, state, slot: Slot) -> bool:
        """Whether some item of the slot's kind already has a running effect, which would finish by itself."""
        return any(
            self.kitchen.item_kinds[effect[1]] == slot.kind
            for effect in state.effects
            if effect[0] <= 2
        )
