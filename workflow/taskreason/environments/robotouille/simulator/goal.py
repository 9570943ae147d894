"""Goals with permuted ids: whether some assignment of a goal's ids to objects makes all its predicates hold.

In a layout's goal, ids of one kind are variables over the objects of that kind: equal ids are the same object,
different ids different ones, and every assignment counts. The check walks the predicates in order and extends a
partial assignment by whatever the state offers, so it never enumerates permutations.
"""

from collections.abc import Iterator

from taskreason.environments.robotouille.simulator.domain import (
    CONTAINER_KINDS,
    ITEM_KINDS,
    PLAYER_KINDS,
    STATION_KINDS,
    Flag,
)

UNARY_FLAGS = {flag.name: int(flag) for flag in Flag}


class Goal:
    """A compiled goal. ``terms``: (predicate, (id, ...)); ``kinds``: id -> kind."""

    def __init__(self, kitchen, predicates):
        self.kitchen = kitchen
        self.kinds: dict[int, str] = {}
        self.terms = []
        for term in predicates:
            for kind, key in zip(term.args, term.ids, strict=True):
                self.kinds.setdefault(key, kind)
            self.terms.append((term.predicate, tuple(term.ids)))
        self.height = self._least_height()
        self._kind_items: dict[str, list[int]] = {}
        for i, kind in enumerate(kitchen.item_kinds):
            self._kind_items.setdefault(kind, []).append(i)

    def _least_height(self) -> int:
        """A stack height below which no assignment can hold: the most items that one station must carry."""
        station: dict[int, int] = {}
        for predicate, ids in self.terms:
            if predicate in ("item_on", "item_at"):
                station[ids[0]] = ids[1]
        changed = True
        while changed:
            changed = False
            for predicate, ids in self.terms:
                if predicate != "atop":
                    continue
                for one, other in (ids, ids[::-1]):
                    if one in station and other not in station:
                        station[other] = station[one]
                        changed = True
        places = list(station.values())
        anchored = max((places.count(p) for p in set(places)), default=0)
        return max(anchored, 2 if any(p == "atop" for p, _ in self.terms) else 0)

    def reached(self, state) -> bool:
        """Whether the goal holds in ``state``."""
        if self.height:
            for stack in state.stacks:
                if len(stack) >= self.height:
                    break
            else:
                return False
        return self._extend(state, 0, {}, frozenset())

    def _extend(self, state, index: int, bound: dict[int, int], used: frozenset) -> bool:
        if index == len(self.terms):
            return True
        predicate, ids = self.terms[index]
        for values in self._matches(state, predicate, ids, bound):
            extended, taken, fits = dict(bound), set(used), True
            for key, value in zip(ids, values, strict=True):
                if key in extended:
                    fits = fits and extended[key] == value
                else:
                    thing = (_family(self.kinds[key]), value)
                    fits = fits and thing not in taken
                    extended[key] = value
                    taken.add(thing)
            if fits and self._extend(state, index + 1, extended, frozenset(taken)):
                return True
        return False

    def _candidates(self, key: int, bound: dict[int, int], state) -> list[int]:
        if key in bound:
            return [bound[key]]
        kind, kitchen = self.kinds[key], self.kitchen
        if kind in STATION_KINDS:
            return [s for s, k in enumerate(kitchen.station_kinds) if k == kind]
        if kind in ITEM_KINDS:
            return self._kind_items.get(kind, [])
        if kind in CONTAINER_KINDS:
            return [c for c, k in enumerate(kitchen.container_kinds) if k == kind]
        return [0] if kind in PLAYER_KINDS else list(range(len(state.meals)))

    def _matches(self, state, predicate: str, ids, bound) -> Iterator[tuple[int, ...]]:
        """Assignments of ``ids`` (in order) under which the predicate holds in ``state``."""
        first = self._candidates(ids[0], bound, state)
        if predicate in UNARY_FLAGS:
            bit = UNARY_FLAGS[predicate]
            yield from ((i,) for i in first if state.flags[i] & bit)
        elif predicate == "clear":
            tops = {stack[-1] for stack in state.stacks if stack}
            yield from ((i,) for i in first if i in tops)
        elif predicate == "isboiling":
            yield from ((m,) for m in first if state.meals[m])
        elif predicate == "container_empty":
            yield from ((c,) for c in first if state.containers[c][1] < 0)
        elif predicate == "vacant":
            yield from ((s,) for s in first if s != state.loc)
        elif predicate == "station_empty":
            taken = {place for place, _ in state.containers}
            yield from ((s,) for s in first if not state.stacks[s] and s not in taken)
        elif predicate == "nothing":
            yield from ((r,) for r in first if state.hand < 0)
        else:
            second = self._candidates(ids[1], bound, state)
            yield from self._pairs(state, predicate, first, second)

    def _pairs(
        self, state, predicate: str, first: list[int], second: list[int]
    ) -> Iterator[tuple[int, int]]:
        if predicate == "item_on":
            yield from (
                (state.stacks[s][0], s)
                for s in second
                if state.stacks[s] and state.stacks[s][0] in first
            )
        elif predicate == "item_at":
            yield from ((i, s) for s in second for i in state.stacks[s] if i in first)
        elif predicate == "atop":
            for stack in state.stacks:
                for below, above in zip(stack, stack[1:], strict=False):
                    if above in first and below in second:
                        yield above, below
        elif predicate == "container_at":
            yield from ((c, s) for c in first for s in second if state.containers[c][0] == s)
        elif predicate == "in":
            yield from ((m, c) for c in second for m in first if state.containers[c][1] == m)
        elif predicate == "addedto":
            yield from ((i, m) for i in first for m in second if (i, m) in state.added)
        elif predicate == "loc":
            yield from ((r, s) for r in first for s in second if s == state.loc)
        elif predicate == "has_item":
            yield from ((r, i) for r in first for i in second if i == state.hand)
        elif predicate == "has_container":
            count = len(self.kitchen.items)
            yield from ((r, c) for r in first for c in second if c + count == state.hand)


def _family(kind: str) -> str:
    """Which object list a kind's indices refer to."""
    if kind in STATION_KINDS:
        return "station"
    if kind in ITEM_KINDS:
        return "item"
    return "container" if kind in CONTAINER_KINDS else "meal"
