"""Goals with permuted ids: whether some assignment of a goal's ids to objects makes all its predicates hold.

In a layout's goal, ids of one kind are variables over the objects of that kind: equal ids are the same object,
different ids different ones, and every assignment counts. An id that is text means the one object that has it, whatever
the others are bound to. The check walks the predicates in order and extends a partial assignment by whatever the state
offers, so it never enumerates permutations.
"""

from collections import Counter, defaultdict
from itertools import chain, pairwise, product

from .domain import CONTAINER_KINDS, ITEM_KINDS, MEAL_KINDS, PLAYER_KINDS, STATION_KINDS, Flag

ITEM, STATION, CONTAINER = ITEM_KINDS, STATION_KINDS, CONTAINER_KINDS
MEAL, ROBOT = MEAL_KINDS, PLAYER_KINDS
PREDICATES = {
    **{f.name: (lambda s, i, bit=int(f): s.flags[i] & bit, ITEM) for f in Flag},
    "clear": (lambda s, i: any(stack and stack[-1] == i for stack in s.stacks), ITEM),
    "isboiling": (lambda s, m: s.meals[m], MEAL),
    "container_empty": (lambda s, c: s.containers[c][1] < 0, CONTAINER),
    "vacant": (lambda s, x: x != s.loc, STATION),
    "station_empty": (lambda s, x: not s.stacks[x] and x not in dict(s.containers), STATION),
    "nothing": (lambda s, r: s.hand < 0, ROBOT),
    "item_on": (lambda s, i, x: s.stacks[x][:1] == (i,), ITEM, STATION),
    "item_at": (lambda s, i, x: i in s.stacks[x], ITEM, STATION),
    "atop": (lambda s, i, j: any((j, i) in pairwise(stack) for stack in s.stacks), ITEM, ITEM),
    "container_at": (lambda s, c, x: s.containers[c][0] == x, CONTAINER, STATION),
    "in": (lambda s, m, c: s.containers[c][1] == m, MEAL, CONTAINER),
    "addedto": (lambda s, i, m: (i, m) in s.added, ITEM, MEAL),
    "loc": (lambda s, r, x: x == s.loc, ROBOT, STATION),
    "has_item": (lambda s, r, i: i == s.hand, ROBOT, ITEM),
    # Containers are counted after the items.
    "has_container": (lambda s, r, c: c + len(s.flags) == s.hand, ROBOT, CONTAINER),
}
"""Predicate -> (whether it holds in a state of one object or two, given by index, the kinds of each)."""


class Goal:
    """A compiled goal. ``terms``: (predicate, (id, ...)); ``kinds``: id -> kind."""

    def __init__(self, kitchen, predicates):
        self.terms = [(term.predicate, tuple(term.ids)) for term in predicates]
        # Where an id has several kinds, which a layout to be replayed may do, the first one counts.
        backwards = reversed(predicates)
        named = ((n, kind) for t in backwards for n, kind in zip(t.ids, t.args, strict=True))
        self.kinds: dict[int | str, str] = dict(named)
        self.height = self._least_height()
        self.fixed = {key: kitchen.named[key][0] for key in self.kinds if key in kitchen.named}
        """Index of the object that an id of text means."""
        self._things: dict[str, list[int]] = defaultdict(list)
        listed = kitchen.station_kinds, kitchen.item_kinds, kitchen.container_kinds, PLAYER_KINDS
        for index, kind in chain.from_iterable(map(enumerate, listed)):
            self._things[kind].append(index)

    def _least_height(self) -> int:
        """A stack height below which no assignment can hold: the most items that one station must carry."""
        station = {ids[0]: ids[1] for name, ids in self.terms if name in ("item_on", "item_at")}
        pairs = [ids for name, ids in self.terms if name == "atop"]
        for _ in pairs:  # as often as the longest chain may need
            for one, other in (order for ids in pairs for order in (ids, ids[::-1])):
                if one in station:
                    station.setdefault(other, station[one])
        return max(*Counter(station.values()).values(), 2 if pairs else 0, 0)

    def reached(self, state) -> bool:
        """Whether the goal holds in ``state``."""
        if self.height:
            for stack in state.stacks:
                if len(stack) >= self.height:
                    break
            else:
                return False
        return self._extend(state, 0, self.fixed)

    def _extend(self, state, index: int, bound: dict[int | str, int]) -> bool:
        """Whether the terms from ``index`` on can hold, too, given what is bound: id -> index of an object."""
        if index == len(self.terms):
            return True
        predicate, ids = self.terms[index]
        holds, *_ = PREDICATES[predicate]
        for values in product(*(self._candidates(key, bound, state) for key in ids)):
            if holds(state, *values):
                extended = bound | dict(zip(ids, values, strict=True))
                if self._extend(state, index + 1, extended):
                    return True
        return False

    def _candidates(self, key: int | str, bound: dict[int | str, int], state) -> list[int]:
        """The object that an id is bound to, or all of its kind that no other id is bound to."""
        if key in bound:
            return [bound[key]]
        kind = self.kinds[key]
        things = range(len(state.meals)) if kind in MEAL_KINDS else self._things[kind]
        taken = {v for k, v in bound.items() if self.kinds[k] == kind and k not in self.fixed}
        return [n for n in things if n not in taken]
