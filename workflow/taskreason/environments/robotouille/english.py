"""The teacher's thoughts as a person would say them, for models that know English.

    See bottombun: 1 bottombun1 table2. Tower table2 1. Next 2 cooked patty: patty1 table3 cooked.
    Robot holding nothing. Carry patty1 table3 to bottombun1 table2. Pick table3 robot table2 away.

becomes

    I see bottombun1 on table2 in slot 1. The stack on table2 has slot 1. Slot 2 is next, a cooked patty: I see cooked
    patty1 on table3. I hold nothing. I carry patty1 from table3 to bottombun1 on table2. I have to pick up at table3,
    but I am at table2.

Sentence by sentence, with every name in its place, so that what is wrong in the one is wrong in the other.
"""

import re
from collections.abc import Callable, Sequence

HAND = "robot"
"""What the name of the robot begins with; an item that it holds lies there."""
VERBS = {"Pick": "pick up"}
"""The teacher's words for what is done that are no English."""


def phrase(thought: str) -> str:
    """A thought of the teacher in plain English; sentences that are not the teacher's stay."""
    return " ".join(f"{_phrase(part)}." for part in thought.removesuffix(".").split(". "))


def _phrase(sentence: str) -> str:
    for pattern, say in RULES.items():
        if match := re.fullmatch(pattern, sentence):
            return say(*match.groups())
    return sentence


def _see(kind: str, places: str) -> str:
    return f"I see {_list_places(places)}" if places != "none" else f"I see no {kind}"


def _other(kind: str, places: str) -> str:
    return f"Another {kind} is {_list_places(places)}" if places != "none" else f"No other {kind}"


def _tower(station: str, numbers: str, above: str | None) -> str:
    slots = numbers.split()
    words = f"The stack on {station} has {'slot' if len(slots) == 1 else 'slots'} {_join(slots)}"
    return f"{words}, under {_join(above.split())}" if above else words


def _next(number: str, slot: str, places: str | None) -> str:
    words = f"Slot {number} is next, {'an' if slot[0] in 'aeiou' else 'a'} {slot}"
    if places is None:
        return words
    return f"{words}: {'I see none' if places == 'none' else f'I see {_list_places(places)}'}"


def _full(stations: str) -> str:
    told = (
        f"{name} has {_join(items)}"
        for name, *items in (part.split() for part in stations.split(", "))
    )
    return f"No place is empty: {'; '.join(told)}"


def _hold(item: str, away: str | None) -> str:
    return f"I hold {item}, which has to go" if away else f"I hold {item}"


def _carry(item: str, source: str, goal: str | None) -> str:
    held = source.startswith(HAND)
    words = f"I carry {item}, which I hold," if held else f"I carry {item} from {source}"
    return f"{words} to {' on '.join(goal.split())}" if goal else f"{words.removesuffix(',')} away"


def _decide(verb: str, place: str, robot: str, where: str) -> str:
    verb = VERBS.get(verb, verb.lower())
    if where == "here":
        return f"I have to {verb} at {place}, and I am at {robot}"
    return f"I have to {verb} at {place}, but I am at {robot}"


def _list_places(places: str) -> str:
    return _join([_say_place(place.split()) for place in places.split(", ")])


def _say_place(words: list[str]) -> str:
    """``1 bread1 table2 under patty1 cooked`` -> ``bread1 on table2 in slot 1, under cooked patty1``."""
    cut = words.index("under") if "under" in words else len(words)
    own, above = words[:cut], words[cut + 1 :]
    number = own.pop(0) if own[0].isdigit() else ""
    item, place, *flags = own
    said = " ".join([*flags, item, "in hand" if place.startswith(HAND) else f"on {place}"])
    said += f" in slot {number}" if number else ""
    return f"{said}, under {_say_stack(above)}" if above else said


def _say_stack(words: Sequence[str]) -> str:
    """``2 patty1 cooked cheese1`` -> ``cooked patty1 in slot 2 and cheese1``."""
    told: list[str] = []
    number = ""
    for word in words:
        if word.isdigit():
            number = word
        elif word[-1].isdigit():
            told.append(f"{word} in slot {number}" if number else word)
            number = ""
        else:
            told[-1] = f"{word} {told[-1]}"
    return _join(told)


def _join(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; parts that hold commas are kept apart by semicolons."""
    if any(", " in part for part in parts):
        return "; ".join(parts)
    return ", ".join([*parts[:-2], " and ".join(parts[-2:])])


RULES: dict[str, Callable[..., str]] = {
    r"See (\w+): (.+)": _see,
    r"Other (\w+): (.+)": _other,
    r"Tower (\w+)((?: \d+)+)(?: under (.+))?": _tower,
    r"No tower": lambda: "No stack is begun",
    r"Empty none: (.+)": _full,
    r"Empty (\w+)": lambda station: f"{station} is empty",
    r"Next (\d+) ([\w ]+)(?:: (.+))?": _next,
    r"Robot holding (\w+)( away)?": _hold,
    r"Carry (\w+) (\w+)(?: to (.+))?": _carry,
    r"(Cook|Cut|Fry) (\w+) (\w+)": lambda verb, item, place: f"I {verb.lower()} {item} on {place}",
    r"(\w+) (\w+) robot (\w+) (here|away)": _decide,
}
"""Forms of the teacher's sentences, and what is made of each."""
