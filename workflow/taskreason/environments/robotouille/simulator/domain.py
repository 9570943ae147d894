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
Flag = IntFlag(
    "Flag", "iscookable iscooking iscooked iscuttable iscut isfryable isfryableifcut isfried"
)
"""Predicates of an item that are not about its place, one bit each."""
LAYOUT_FLAGS = tuple(flag.name for flag in Flag if flag is not Flag.iscooking)
"""Item predicates that a layout file may state."""


class Op(IntEnum):
    """The fifteen actions, in the order in which the prompt lists them.

    wording: their text. sources: the lists of a kitchen from which the two arguments come.
    """

    wording: str
    sources: tuple[str, str]

    def __new__(cls, number: int, wording: str, *sources: str):
        member = int.__new__(cls, number)
        member._value_, member.wording, member.sources = number, wording, sources
        return member

    pick_up_item = 0, "Pick up {0} from {1} using {robot}", "items", "stations"
    unstack = 1, "Unstack {0} from {1} using {robot}", "items", "items"
    place_item = 2, "Place {0} on {1} using {robot}", "items", "stations"
    stack = 3, "Stack {0} on top of {1} using {robot}", "items", "items"
    cook = 4, "Cook {0} on {1} using {robot}", "items", "stations"
    cut = 5, "Cut {0} on {1} using {robot}", "items", "stations"
    fry = 6, "Fry {0} on {1} using {robot}", "items", "stations"
    pick_up_container = 7, "Pick up {0} from {1} using {robot}", "containers", "stations"
    place_container = 8, "Place {0} on {1} using {robot}", "containers", "stations"
    fill_pot = 9, "Fill {0} with water from {1} using {robot}", "containers", "stations"
    boil_water = 10, "Boil {0}'s contents on {1} using {robot}", "containers", "stations"
    add_to = 11, "Add {0} into {1} using {robot}", "items", "containers"
    fill_bowl = 12, "Fill {0} with {1}'s contents using {robot}", "containers", "containers"
    move = 13, "Move {robot} from {0} to {1}", "stations", "stations"
    wait = 14, "Do nothing"


class Preparation(NamedTuple):
    """How an item comes by a flag: the action on it that needs the other flag, on a kind of station, so many times."""

    station: str
    op: Op
    raw: Flag
    done: Flag
    times: int = 1


PREPARATIONS = (
    Preparation("stove", Op.cook, Flag.iscookable, Flag.iscooked),
    Preparation("board", Op.cut, Flag.iscuttable, Flag.iscut, CUTS),
    Preparation("fryer", Op.fry, Flag.isfryable, Flag.isfried),
)


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
