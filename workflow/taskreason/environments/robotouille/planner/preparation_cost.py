"""What cooking, cutting and frying add to carrying an item.

An item that must still be prepared is carried once more, to a station for that, and the actions there are counted:
putting it down, preparing it and picking it up again takes no move, so the way there costs three steps.

Part of the planner's lower bound (`planner.lower_bound`): never more than a plan needs.
"""

from dataclasses import dataclass

from ..simulator.domain import CUTS, Flag
from ..simulator.engine import COOK, CUT, FRY, Kitchen, State
from ..simulator.goal_stack import Slot, fits_slot

DETOUR = 3
"""Steps that carrying an item to where it is prepared adds: to it, pick up, to there; putting down saves a move."""


@dataclass(frozen=True)
class Preparation:
    """How an item comes by a flag: lying on a station of a kind, by a number of actions; effect: what counts them."""

    flag: Flag
    station: str
    effect: int
    actions: int


PREPARATIONS = (
    Preparation(Flag.iscooked, "stove", COOK, 1),
    Preparation(Flag.iscut, "board", CUT, CUTS),
    Preparation(Flag.isfried, "fryer", FRY, 1),
)


def count_preparing(
    kitchen: Kitchen,
    state: State,
    short: dict[Slot, int],
    idle: list[int],
    leaving: tuple[int, ...],
) -> tuple[int, frozenset[int], set[str]]:
    """(steps for preparing items, stations at which these are one less, kinds of station to which one must be brought).

    short: of each slot, how many items must still be prepared. idle: items that may fill a slot. leaving: those that
    are carried away anyway, perhaps to be prepared.
    """
    steps, spots, bound_for = 0, frozenset(), set()
    for slot, number in short.items():
        raw = [
            item
            for item in idle
            if kitchen.item_kinds[item] == slot.kind and not fits_slot(kitchen, state, item, slot)
        ]
        costs = [_prepare_item(kitchen, state, item, slot, item in leaving) for item in raw]
        # Of two that cost the same, the one in the hand may cost one less.
        costs.sort(key=lambda entry: (entry[0], not entry[1]))
        for cost, places in costs[: max(0, number)]:
            steps += cost
            spots |= places
        for preparation in PREPARATIONS:
            lacking = [i for i in raw if slot.flags & ~state.flags[i] & preparation.flag]
            there = len(raw) - sum(not _lies_on(kitchen, state, i, preparation) for i in lacking)
            if there < number:
                bound_for.add(preparation.station)
    return steps, spots, bound_for


def _prepare_item(
    kitchen: Kitchen, state: State, item: int, slot: Slot, leaves: bool
) -> tuple[int, frozenset[int]]:
    """Steps to prepare one item beyond carrying it once, and the stations at which these are one less."""
    wanted = [t for t in PREPARATIONS if slot.flags & ~state.flags[item] & t.flag]
    away = [t for t in wanted if not _lies_on(kitchen, state, item, t)]
    steps = DETOUR * len(away)
    for preparation in wanted:
        done = [e[3] for e in state.effects if e[0] == preparation.effect and e[1] == item]
        if preparation.effect == CUT:
            steps += preparation.actions - sum(done)
        elif not done:
            steps += preparation.actions
    if item == state.hand:
        kinds = {preparation.station for preparation in wanted}
        spots = [s for s, kind in enumerate(kitchen.station_kinds) if kind in kinds]
        return steps - DETOUR + 1, frozenset(spots)
    return steps - DETOUR * (leaves and away == wanted), frozenset()


def _lies_on(kitchen: Kitchen, state: State, item: int, preparation: Preparation) -> bool:
    """Whether an item lies directly on a station for a preparation."""
    stations = zip(kitchen.station_kinds, state.stacks, strict=True)
    return any(kind == preparation.station and stack[:1] == (item,) for kind, stack in stations)


def count_blocking(kitchen: Kitchen, state: State, bound_for: set[str], kinds: set[str]) -> int:
    """Items, not of the needed kinds, that must leave a station so that others can be prepared there."""
    heights: dict[str, list[int]] = {kind: [] for kind in bound_for}
    for kind, stack in zip(kitchen.station_kinds, state.stacks, strict=True):
        if kind in heights:
            heights[kind].append(sum(kitchen.item_kinds[item] not in kinds for item in stack))
    return max((min(found, default=0) for found in heights.values()), default=0)


def is_in_progress(kitchen: Kitchen, state: State, slot: Slot) -> bool:
    """Whether some item of the slot's kind already has a running effect, which would finish by itself."""
    return any(
        kitchen.item_kinds[effect[1]] == slot.kind
        for effect in state.effects
        if effect[0] in (COOK, CUT, FRY)
    )
