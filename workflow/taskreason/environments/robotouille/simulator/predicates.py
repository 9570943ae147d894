"""A state in the reference's notation: its true ground predicates, such as ``atop(patty1,bottombun1)``.

Everything that the reference's domain knows of is listed, what never changes (kinds of things) included.
"""

from itertools import product

from .domain import CONTAINER_KINDS, ITEM_KINDS, MEAL_KINDS, PLAYER_KINDS, STATION_KINDS, kind_of
from .engine import Kitchen, State
from .goal import PREDICATES


def list_predicates(kitchen: Kitchen, state: State) -> list[str]:
    """The true ground predicates in the reference's notation, sorted."""
    names = {
        STATION_KINDS: kitchen.stations,
        ITEM_KINDS: kitchen.items,
        CONTAINER_KINDS: kitchen.containers,
        MEAL_KINDS: kitchen.meal_names(state),
        PLAYER_KINDS: (kitchen.robot,),
    }
    found = [f"is{kind_of(name)}({name})" for things in names.values() for name in things]
    for predicate, (holds, *kinds) in PREDICATES.items():
        for things in product(*(enumerate(names[kind]) for kind in kinds)):
            if holds(state, *(index for index, _ in things)):
                found.append(f"{predicate}({','.join(name for _, name in things)})")
    return sorted(found)
