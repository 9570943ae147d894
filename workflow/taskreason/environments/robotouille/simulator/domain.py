"""The vocabulary of the Robotouille kitchen: kinds of objects, item flags, actions and their wording.

Everything here is a constant of the benchmark. Other modules name objects ``kind + number`` ("table2") and
refer to item flags by the bits below; the engine turns both into small integers.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple

STATION_KINDS = ("table", "stove", "board", "fryer", "sink")
ITEM_KINDS = (
    *("topbun", "bottombun", "bread", "lettuce", "onion", "tomato"),
    *("patty", "chicken", "cheese", "potato"),
)
CONTAINER_KINDS = ("pot", "bowl")
MEAL_KINDS = ("water",)
PLAYER_KINDS = ("robot",)

TICKS = 4
"""Steps until cooking, frying, filling or boiling is done; the starting action is the first of them."""
CUTS = 3
"""Cut actions until an item is cut."""


class Flag(IntFlag):
    """Predicates of an item that are not about its place, one bit each."""

    iscookable = 1
    iscooking = 2
    iscooked = 4
    iscuttable = 8
    iscut = 16
    isfryable = 32
    isfryableifcut = 64
    isfried = 128


LAYOUT_FLAGS = tuple(flag.name for flag in Flag if flag is not Flag.iscooking)
"""Item predicates that a layout file may state."""


class Op(IntEnum):
    """The fifteen actions, in the order in which the prompt lists them."""

    pick_up_item = 0
    unstack = 1
    place_item = 2
    stack = 3
    cook = 4
    cut = 5
    fry = 6
    pick_up_container = 7
    place_container = 8
    fill_pot = 9
    boil_water = 10
    add_to = 11
    fill_bowl = 12
    move = 13
    wait = 14


WORDING = {
    Op.pick_up_item: "Pick up {0} from {1} using {robot}",
    Op.unstack: "Unstack {0} from {1} using {robot}",
    Op.place_item: "Place {0} on {1} using {robot}",
    Op.stack: "Stack {0} on top of {1} using {robot}",
    Op.cook: "Cook {0} on {1} using {robot}",
    Op.cut: "Cut {0} on {1} using {robot}",
    Op.fry: "Fry {0} on {1} using {robot}",
    Op.pick_up_container: "Pick up {0} from {1} using {robot}",
    Op.place_container: "Place {0} on {1} using {robot}",
    Op.fill_pot: "Fill {0} with water from {1} using {robot}",
    Op.boil_water: "Boil {0}'s contents on {1} using {robot}",
    Op.add_to: "Add {0} into {1} using {robot}",
    Op.fill_bowl: "Fill {0} with {1}'s contents using {robot}",
    Op.move: "Move {robot} from {0} to {1}",
    Op.wait: "Do nothing",
}

ARGUMENTS = dict.fromkeys(Op, ("items", "stations")) | {
    **dict.fromkeys((Op.unstack, Op.stack), ("items", "items")),
    **dict.fromkeys(
        (Op.pick_up_container, Op.place_container, Op.fill_pot, Op.boil_water),
        ("containers", "stations"),
    ),
    Op.add_to: ("items", "containers"),
    Op.fill_bowl: ("containers", "containers"),
    Op.move: ("stations", "stations"),
}
"""The lists of a kitchen from which an action's two arguments come."""


class Action(NamedTuple):
    """One grounded action: its operator, the indices of its two arguments and its exact text.

    The meaning of ``a`` and ``b`` follows the wording: item, station, container or meal indices of the kitchen
    that made the action; -1 where the action has no such argument.
    """

    op: Op
    a: int
    b: int
    text: str


def kind_of(name: str) -> str:
    """The kind of an object from its name: ``kind_of("table12") == "table"``."""
    return name.rstrip("0123456789")
