"""What cooking, cutting and frying add to carrying an item.

An item that must still be treated is carried once more, to a station for that, and the actions there are counted:
putting it down, treating it and picking it up again takes no move, so the way there costs three steps.

Part of the planner's lower bound (`planner.lower_bound`): never more than a plan needs.
"""

from dataclasses import dataclass

from taskreason.environments.robotouille.simulator.domain import CUTS, Flag
from taskreason.environments.robotouille.simulator.effects import COOK, CUT, FRY
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.goal_stack import Slot, fits_slot

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


def count_treating(
    kitchen: Kitchen,
    state: State,
    short: dict[Slot, int],
    idle: list[int],
    leaving: tuple[int, ...],
):
    """(steps for so many items of each slot that must still be treated, stations at which there is one less, kinds
    of station to which one has to be brought).

    idle: items that may fill a slot; leaving: those that are carried away anyway, perhaps to be treated.
    """
    steps, spots, bound_for = 0, frozenset(), set()
    for slot, number in short.items():
        raw = [
            item
            for item in idle
            if kitchen.item_kinds[item] == slot.kind and not fits_slot(kitchen, state, item, slot)
        ]
        costs = [_treat_item(kitchen, state, item, slot, item in leaving) for item in raw]
        # Of two that cost the same, the one in the hand may cost one less.
        costs.sort(key=lambda entry: (entry[0], not entry[1]))
        for cost, places in costs[: max(0, number)]:
            steps += cost
            spots |= places
        for treatment in TREATMENTS:
            lacking = [i for i in raw if slot.flags & ~state.flags[i] & treatment.flag]
            there = len(raw) - sum(not _lies_on(kitchen, state, i, treatment) for i in lacking)
            if there < number:
                bound_for.add(treatment.station)
    return steps, spots, bound_for


def _treat_item(
    kitchen: Kitchen, state: State, item: int, slot: Slot, leaves: bool
) -> tuple[int, frozenset[int]]:
    """Steps to treat one item beyond carrying it once, and the stations at which these are one less."""
    wanted = [t for t in TREATMENTS if slot.flags & ~state.flags[item] & t.flag]
    away = [t for t in wanted if not _lies_on(kitchen, state, item, t)]
    steps = DETOUR * len(away)
    for treatment in wanted:
        done = [e[3] for e in state.effects if e[0] == treatment.effect and e[1] == item]
        if treatment.effect == CUT:
            steps += treatment.actions - sum(done)
        elif not done:
            steps += treatment.actions
    if item == state.hand:
        kinds = {treatment.station for treatment in wanted}
        spots = [s for s, kind in enumerate(kitchen.station_kinds) if kind in kinds]
        return steps - DETOUR + 1, frozenset(spots)
    return steps - DETOUR * (leaves and away == wanted), frozenset()


def _lies_on(kitchen: Kitchen, state: State, item: int, treatment: Treatment) -> bool:
    """Whether an item lies directly on a station for a treatment."""
    return any(
        kind == treatment.station and stack and stack[0] == item
        for kind, stack in zip(kitchen.station_kinds, state.stacks, strict=True)
    )


def count_blocking(kitchen: Kitchen, state: State, bound_for: set[str], kinds: set[str]) -> int:
    """Items, not of the needed kinds, that must leave a station so that others can be treated there."""
    most = 0
    for wanted in bound_for:
        heights = [
            sum(kitchen.item_kinds[item] not in kinds for item in stack)
            for kind, stack in zip(kitchen.station_kinds, state.stacks, strict=True)
            if kind == wanted
        ]
        most = max(most, min(heights, default=0))
    return most


def is_in_progress(kitchen: Kitchen, state: State, slot: Slot) -> bool:
    """Whether some item of the slot's kind already has a running effect, which would finish by itself."""
    return any(
        kitchen.item_kinds[effect[1]] == slot.kind
        for effect in state.effects
        if effect[0] in (COOK, CUT, FRY)
    )
