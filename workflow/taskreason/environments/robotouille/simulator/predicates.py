"""A state in the reference's notation: its true ground predicates, such as ``atop(patty1,bottombun1)``.

Everything that the reference's domain knows of is listed, what never changes (kinds of things) included.
"""

from .domain import Flag, kind_of
from .engine import Kitchen, State


def list_predicates(kitchen: Kitchen, state: State) -> list[str]:
    """The true ground predicates in the reference's notation, sorted."""
    items, stations, robot = kitchen.items, kitchen.stations, kitchen.robot
    things = (*stations, *items, *kitchen.containers, robot)
    found = [f"is{kind_of(name)}({name})" for name in things]
    for name, bits in zip(items, state.flags, strict=True):
        found += [f"{flag.name}({name})" for flag in Flag if bits & flag]
    occupied = {place for place, _ in state.containers if place >= 0}
    for s, (station, stack) in enumerate(zip(stations, state.stacks, strict=True)):
        found.append(f"loc({robot},{station})" if s == state.loc else f"vacant({station})")
        if not stack and s not in occupied:
            found.append(f"station_empty({station})")
        for level, i in enumerate(stack):
            found.append(f"item_at({items[i]},{station})")
            found.append(
                f"atop({items[i]},{items[stack[level - 1]]})"
                if level
                else f"item_on({items[i]},{station})"
            )
        if stack:
            found.append(f"clear({items[stack[-1]]})")
    held = kitchen.held_name(state)
    if held is None:
        found.append(f"nothing({robot})")
    else:
        found.append(f"has_{'item' if state.hand < len(items) else 'container'}({robot},{held})")
    meals = kitchen.meal_names(state)
    for name, (place, meal) in zip(kitchen.containers, state.containers, strict=True):
        if place >= 0:
            found.append(f"container_at({name},{stations[place]})")
        found.append(f"in({meals[meal]},{name})" if meal >= 0 else f"container_empty({name})")
    for name, boiling in zip(meals, state.meals, strict=True):
        found.append(f"iswater({name})")
        if boiling:
            found.append(f"isboiling({name})")
    found += [f"addedto({items[i]},{meals[m]})" for i, m in state.added]
    return sorted(found)
