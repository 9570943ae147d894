"""Names in texts, and renaming as data augmentation: the same decision in a kitchen whose objects carry other numbers.

A text names objects kind + number. A renaming maps the numbers of every kind to other numbers, one to one, in
prompt and completion alike. The order of the lists, by which the expert breaks ties, stays as it is, so the
expert's answer stays the expert's answer.
"""

import random
import re
from collections.abc import Mapping

from .simulator.domain import CONTAINER_KINDS, ITEM_KINDS, MEAL_KINDS, STATION_KINDS

LARGEST = 12
"""Largest number that a renaming gives, and most things of a kind in the generator's kitchens: 12 tables."""

KINDS = (*STATION_KINDS, *ITEM_KINDS, *CONTAINER_KINDS, *MEAL_KINDS)
NAME = re.compile(rf"\b({'|'.join(KINDS)})(\d+)\b")


def draw_renaming(text: str, rng: random.Random) -> dict[str, str]:
    """A random one-to-one renaming of all objects that ``text`` names; numbers up to ``LARGEST``."""
    seen: dict[str, list[str]] = {}
    for kind, number in NAME.findall(text):
        names = seen.setdefault(kind, [])
        if kind + number not in names:
            names.append(kind + number)
    renaming = {}
    for kind, names in seen.items():
        size = max(len(names), min(LARGEST, len(names) + rng.randrange(4)))
        numbers = rng.sample(range(1, size + 1), len(names))
        renaming |= {name: f"{kind}{number}" for name, number in zip(names, numbers, strict=True)}
    return renaming


def rename(text: str, renaming: Mapping[str, str]) -> str:
    """``text`` with every object renamed; names that the renaming lacks stay."""
    return NAME.sub(lambda match: renaming.get(match.group(0), match.group(0)), text)


def sort_names(text: str) -> dict[str, str]:
    """The objects that ``text`` names, in its order, each with its sort: {"table2": "station", "patty1": "item"}."""
    sorts = dict.fromkeys(STATION_KINDS, "station") | dict.fromkeys(ITEM_KINDS, "item")
    return {kind + number: sorts.get(kind, "container") for kind, number in NAME.findall(text)}
