"""What the expert's thoughts say of a state, sentence by sentence; `teacher` has the order and an example of each."""

from .simulator.engine import Kitchen, State
from .simulator.goal_stack import GoalStack, Site, Slot, list_stations
from .simulator.observation import (
    NOTHING,
    describe_place,
    describe_slot,
    list_empty,
    list_flags,
    list_items,
)


def recite_progress(site: Site) -> list[str]:
    """All that a thought says of the stack at a site as far as it stands."""
    kind = site.target.slots[0].kind
    bottoms = f"See {kind}: {_recite_places(site, _list_of_kind(site.kitchen, kind))}"
    return [bottoms, *recite_others(site), recite_stack(site)]


def recite_others(site: Site) -> list[str]:
    """``Other topbun: topbun2 sink1`` for each kind that lies idle on the stack while a slot is open for it."""
    return [f"Other {kind}: {_recite_elsewhere(site, kind)}" for kind in site.list_contested()]


def recite_stack(site: Site) -> str:
    """The slots that are filled at a site and what stands in the way there: ``Tower table2 1 2 under onion1``.

    Where no slot is filled, the first empty place, ``No tower. Empty table3``; where there is none, what would have to
    be cleared: ``No tower. Empty none: table1 onion1, table2 bread1 cheese2``.
    """
    kitchen, state, target, station = site
    if numbers := [str(number) for number, _ in site.list_placed()]:
        leaving = [kitchen.items[item] for item in reversed(site.list_in_the_way())]
        words = ["Tower", kitchen.stations[station], *numbers, *(["under"] if leaving else [])]
        return " ".join([*words, *leaving])
    stacks = {kitchen.stations[s]: state.stacks[s] for s in list_stations(kitchen, target)}
    if empty := next((name for name in list_empty(kitchen, state) if name in stacks), ""):
        return f"No tower. Empty {empty}"
    full = (" ".join([name, *(kitchen.items[i] for i in stack)]) for name, stack in stacks.items())
    return f"No tower. Empty none: {', '.join(full)}"


def recite_slot(site: Site, number: int) -> str:
    """A slot and, above the lowest, which items would fill it: ``Next 2 cheese: cheese1 table3, cheese2 sink1``.

    Items at the site itself are left out. Those that would have to be prepared first are not: what is said of each
    tells them apart.
    """
    slot = site.target.slots[number - 1]
    words = f"Next {number} {describe_slot(slot)}"
    return words if number == 1 else f"{words}: {_recite_elsewhere(site, slot.kind)}"


def recite_hand(kitchen: Kitchen, state: State, slot: Slot | None, target: GoalStack | None) -> str:
    """What the robot holds; ``Robot holding onion1 away, here nothing`` where it is not of the next slot's kind."""
    words = f"Robot holding {kitchen.held_name(state) or NOTHING}"
    foreign = 0 <= state.hand < len(kitchen.items) and kitchen.item_kinds[state.hand]
    if not foreign or slot is None or target is None or foreign == slot.kind:
        return words
    return f"{words} away, {_recite_cover(kitchen, state, target)}"


def _recite_cover(kitchen: Kitchen, state: State, target: GoalStack) -> str:
    """On what a held item would be put here, the slots of that kind and others of it: ``here bread1, 1 3, bread2``.

    ``here onion1, none`` where no slot asks for any, ``here onion1, 2, none`` where there is no other, and ``here 1
    bread1, 1 3, bread2`` where it is in its final place, so that something may lie on it if the slots above are loose.
    """
    if not state.stacks[state.loc]:
        return f"here {NOTHING}"
    top = state.stacks[state.loc][-1]
    kind, marks = kitchen.item_kinds[top], _find_marks(Site(kitchen, state, target, state.loc))
    words = [" ".join(["here", *([str(marks[top])] if top in marks else []), kitchen.items[top]])]
    if slots := [str(n) for n, slot in enumerate(target.slots, 1) if slot.kind == kind]:
        words.append(" ".join(slots))
        others = [item for item in _list_of_kind(kitchen, kind) if item != top]
        words += [" ".join([kitchen.items[i], *list_flags(state.flags[i])]) for i in others]
    return ", ".join(words if len(words) > 2 else [*words, "none"])


def _list_of_kind(kitchen: Kitchen, kind: str) -> list[int]:
    return [item for item in list_items(kitchen) if kitchen.item_kinds[item] == kind]


def _recite_elsewhere(site: Site, kind: str) -> str:
    items = _list_of_kind(site.kitchen, kind)
    return _recite_places(site, [item for item in items if item not in site.stack])


def _recite_places(site: Site, items: list[int]) -> str:
    """Where items are, with the numbers of the slots that they fill at any station."""
    marks = _find_marks(site)
    told = (describe_place(site.kitchen, site.state, item, marks) for item in items)
    return ", ".join(told) or "none"


def _find_marks(site: Site) -> dict[int, int]:
    """Item -> the number of the slot that it fills, at any station."""
    stations = list_stations(site.kitchen, site.target)
    sites = (site._replace(station=station) for station in stations)
    return {item: number for other in sites for number, item in other.list_placed()}
