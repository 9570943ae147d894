"""Goals of several dishes: towers of items and soups in bowls, read from a goal's terms."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from ..simulator.domain import Flag
from ..simulator.goal import Goal
from ..simulator.goal_stack import FLAG_BITS, GoalStack, Slot, build_stacks

STACK_TERMS = {"item_on", "item_at", "atop", "clear"}
SOUP_TERMS = {"in", "addedto", "isboiling", "container_at"}
MADE = Flag.iscooked | Flag.iscut | Flag.isfried
"""Flags that an item comes by where it is prepared."""
GIVEN = Flag.iscookable | Flag.iscuttable | Flag.isfryableifcut
"""Flags that an item has from the start or never."""


class Place(NamedTuple):
    """A slot in a dish. dish: its number, towers first; role: "chain", "loose", "top" or "soup"; rank: in the chain."""

    dish: int
    role: str
    rank: int
    flags: int

    @property
    def order(self) -> tuple[int, int]:
        """Of two places in a tower, the one with the lower order is filled first; equal ones in any order."""
        return ("chain", "loose", "top").index(self.role), self.rank


class Soup(NamedTuple):
    """Water in a bowl. station: kind of station for the bowl, or None for any. slots: what is added to it."""

    station: str | None
    boiling: bool
    slots: tuple[Slot, ...]


class Dishes(NamedTuple):
    """What a goal asks for. Every slot of a dish takes an item of its own, and every dish a station of its own."""

    stacks: tuple[GoalStack, ...]
    soups: tuple[Soup, ...]

    def list_equal(self) -> list[tuple[int, int]]:
        """Pairs of dishes that ask for the same, by their numbers."""
        dishes = [*self.stacks, *self.soups]
        return [(a, b) for a, b in combinations(range(len(dishes)), 2) if dishes[a] == dishes[b]]

    def list_places(self) -> dict[str, list[Place]]:
        """All slots by the kind of item that they take."""
        places = defaultdict(list)

        def add(dish: int, role: str, slots: Iterable[Slot], ranked: bool = False) -> None:
            for rank, slot in enumerate(slots):
                places[slot.kind].append(Place(dish, role, rank * ranked, slot.flags))

        for dish, stack in enumerate(self.stacks):
            add(dish, "chain", stack.chain, ranked=True)
            add(dish, "loose", stack.loose)
            add(dish, "top", [stack.top] if stack.top else [])
        for dish, soup in enumerate(self.soups, start=len(self.stacks)):
            add(dish, "soup", soup.slots)
        return dict(places)


def compile_dishes(goal: Goal) -> Dishes | None:
    """The goal as dishes, or None where it says more than that, such as what the robot holds."""
    terms, flags = defaultdict(list), Counter()
    for predicate, ids in goal.terms:
        terms[predicate].append(ids)
        flags[ids[0]] |= FLAG_BITS.get(predicate, 0)
    if goal.fixed or terms.keys() - {*STACK_TERMS, *SOUP_TERMS, *FLAG_BITS}:
        return None
    stacks = build_stacks([t for t in goal.terms if t[0] not in SOUP_TERMS], goal.kinds)
    inside, places = dict(terms["in"]), dict(terms["container_at"])
    soups = []
    for meal, bowl in inside.items():
        added = [item for item, other in terms["addedto"] if other == meal]
        place = goal.kinds[places[bowl]] if bowl in places else None
        slots = tuple(Slot(goal.kinds[item], flags[item]) for item in added)
        soups.append(Soup(place, (meal,) in terms["isboiling"], slots))
    dishes = Dishes(tuple(stacks), tuple(soups))
    return dishes if _is_plain(dishes, goal, terms) else None


def _is_plain(dishes: Dishes, goal: Goal, terms: dict) -> bool:
    """Whether the bound's counting is right for the dishes.

    Prepared items must not be wanted where they are prepared, no thing may be wanted twice, and soups are in bowls.
    """
    inside, wanted = terms["in"], [*terms["item_on"], *terms["item_at"], *terms["addedto"]]
    wanted += terms["atop"]
    meals, bowls = {m for m, _ in inside}, {b for _, b in inside}
    slots = [slot for stack in dishes.stacks for slot in stack.slots]
    slots += [slot for soup in dishes.soups for slot in soup.slots]
    return (
        bool(dishes.stacks or dishes.soups)
        and len({item for item, _ in wanted}) == len(wanted)
        and len(slots) == len(wanted)
        and len(meals) == len(bowls) == len(inside)
        and all(goal.kinds[bowl] == "bowl" for bowl in bowls)
        and {bowl for bowl, _ in terms["container_at"]} <= bowls
        and {meal for _, meal in terms["addedto"]} | {m for (m,) in terms["isboiling"]} <= meals
        and len(terms["container_at"]) == len({place for _, place in terms["container_at"]})
        and all(stack.station == "table" for stack in dishes.stacks)
        and not any(slot.flags & ~(MADE | GIVEN) for slot in slots)
    )
