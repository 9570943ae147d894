"""A* for goals of several dishes, in which equal things are interchangeable and idle orders are tried once.

States that differ only in which of equal items lies where, or on which of equal stations, have the same distance, so
one of each such class is searched. A move is never followed by another one, and waiting comes after moving: on a
shortest plan the robot goes straight to where it next does something, and there it can wait as well.
"""

from heapq import heappop, heappush

from ..simulator.domain import Action, Op
from ..simulator.engine import Kitchen, State
from .scene import NEVER


class Symmetry:
    """Names of states that are equal but for the choice among equal things."""

    def __init__(self, kitchen: Kitchen):
        numbers = {k: n for n, k in enumerate(sorted({*kitchen.item_kinds}))}
        self.items = [numbers[kind] << 10 for kind in kitchen.item_kinds]
        numbers = {k: n for n, k in enumerate(sorted({*kitchen.station_kinds}))}
        self.stations = [numbers[kind] for kind in kitchen.station_kinds]
        self.containers = [kind == "pot" for kind in kitchen.container_kinds]

    def name(self, state: State) -> tuple:
        loc, hand, stacks, flags, containers, meals, added, effects = state
        items = [kind | own for kind, own in zip(self.items, flags)]
        stations = {}
        pots = [(kind, meal) for kind, (_, meal) in zip(self.containers, containers)]
        heads = ()
        if effects:
            heads = tuple([(e[0], e[3]) for e in effects])
            tags = {}
            for n, (kind, obj, station, _) in enumerate(effects):
                bit = 1 << (20 + n)
                if kind in (3, 4):
                    pots[obj] = (*pots[obj], n)
                else:
                    items[obj] |= bit
                if station >= 0:
                    stations[station] = stations.get(station, 0) | bit
        holds = {}
        for c, (place, _) in enumerate(containers):
            if place >= 0:
                holds[place] = pots[c]
        sites = [
            (kind, stations.get(s, 0), holds.get(s, ()), *[items[i] for i in stack])
            for s, (kind, stack) in enumerate(zip(self.stations, stacks))
        ]
        here = sites[loc] if loc >= 0 else None
        sites.sort()
        if hand < 0:
            held = -1
        elif hand < len(items):
            held = items[hand]
        else:
            held = pots[hand - len(items)]
        gone = tuple(sorted([(items[i], m) for i, m in added])) if added else ()
        return here, held, tuple(sites), heads, meals, gone


def find_plan(kitchen: Kitchen, start: State, estimate, exact, name, limit, watch):
    """(plan as (state, action) steps and last state, rest) or None."""
    first = estimate(start)
    if first >= NEVER or (limit is not None and first > limit):
        return None
    frontier = [(first, first, 0, start, False)]
    key = name(start)
    cost = {(key, False): 0}
    parent = {}
    count = 0
    valid, step = kitchen.valid_actions, kitchen.step
    while frontier:
        f, h, _, state, bound = heappop(frontier)
        g = f - h
        key = name(state)
        if cost.get((key, bound), -1) != g or (bound and cost.get((key, False), NEVER) <= g):
            continue
        if kitchen.is_goal(state):
            return state, bound, parent, g
        watch(f)
        for action in valid(state):
            op = action.op
            if op is Op.move:
                if bound:
                    continue
            after = step(state, action)
            tied = op is Op.move or op is Op.wait
            if op is Op.wait and after is state:
                continue
            other = name(after)
            if g + 1 >= cost.get((other, tied), NEVER) or (tied and g + 1 >= cost.get((other, False), NEVER)):
                continue
            h = max(estimate(after), f - g - 1)
            if g + 1 + h > (limit if limit is not None else NEVER):
                continue
            cost[other, tied] = g + 1
            parent[after, tied] = (state, bound, action)
            count += 1
            heappush(frontier, (g + 1 + h, h, -count, after, tied))
    return None
