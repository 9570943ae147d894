"""Timers and counters: what runs on after the action that started it.

A running effect is (kind, object, station, count). Cooking, frying, filling and boiling advance once a step while
their object lies where they were started; cuts are counted by the cutting itself. Effects stay in the order in which
they were started, because the reference updates them in that order (see :func:`update` for its oddity).
"""

from .domain import CUTS, TICKS, Flag

COOK, CUT, FRY, FILL, BOIL, FRYABLE = range(6)
"""Kinds of running effects: four timers, the cut counter, and "once cut, it can be fried"."""


def put(values: tuple, index: int, value) -> tuple:
    return (*values[:index], value, *values[index + 1 :])


def start(effects: tuple, kind: int, obj: int, station: int) -> tuple:
    """Add a timer unless the same one is running (or paused) already."""
    if any(e[:3] == (kind, obj, station) for e in effects):
        return effects
    return (*effects, (kind, obj, station, 0))


def cut(flags: tuple, effects: tuple, item: int) -> tuple[tuple, tuple]:
    """Count one cut; the last one sets iscut and, for some items, starts "once cut, it can be fried"."""
    running = next((e for e in effects if e[0] == CUT and e[1] == item), None)
    if running is None:
        return flags, (*effects, (CUT, item, -1, 1))
    if running[3] + 1 < CUTS:
        return flags, tuple((CUT, item, -1, e[3] + 1) if e is running else e for e in effects)
    bits = flags[item] | Flag.iscut
    effects = tuple(e for e in effects if e is not running)
    if bits & Flag.isfryableifcut and (FRYABLE, item, -1, 0) not in effects:
        effects = (*effects, (FRYABLE, item, -1, 0))
    return put(flags, item, int(bits)), effects


def update(stacks, flags, containers, meals, effects):
    """Advance every running effect once, in starting order.

    The reference removes a finished effect from the list that it is walking, so the effect after it loses that
    step's update. This is reproduced here: the index moves on even though the list has become shorter.
    """
    flags, containers, meals, running = list(flags), list(containers), list(meals), list(effects)
    index = 0
    while index < len(running):
        kind, obj, station, count = running[index]
        done = False
        if kind in (COOK, FRY):
            on = bool(stacks[station]) and stacks[station][0] == obj
            done = on and count + 1 == TICKS
            bits = flags[obj] & ~Flag.iscooking if kind == COOK else flags[obj]
            if kind == COOK and on and not done:
                bits |= Flag.iscooking
            if done:
                bits |= Flag.iscooked if kind == COOK else Flag.isfried
            flags[obj] = int(bits)
            count += on
        elif kind in (FILL, BOIL):
            place, meal = containers[obj]
            on = place == station and (kind == FILL or meal >= 0)
            done = on and count + 1 == TICKS
            if done and kind == FILL:
                containers[obj] = (place, len(meals))
                meals.append(0)
            elif done:
                meals[meal] = 1
            count += on
        elif kind == FRYABLE:
            flags[obj] = int(flags[obj] | Flag.isfryable)
        if done:
            running.pop(index)
        else:
            running[index] = (kind, obj, station, count)
        index += 1
    return tuple(flags), tuple(containers), tuple(meals), tuple(running)
