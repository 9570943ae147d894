"""Observations read back: what a reader of the text, without the simulator, knows of the state."""

from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.observation import (
    EFFECT_WORDS,
    EMPTY,
    FLAG_WORDS,
    NOTHING,
    UNDER,
)


def canonicalise(text: str) -> tuple:
    """What a prompt of a kitchen without containers says, whatever the numbers of its names and the order of its lists.

    The stations, each with its kind, kinds and flags of what lies on it from the bottom up, and whether the robot is
    there; what the robot holds; the goal.
    """

    def kind(name: str) -> str:
        return name.rstrip("0123456789")

    lines = text.splitlines()
    start, end = lines.index("Stations:"), lines.index("Items:")
    robot = next(n for n, line in enumerate(lines) if line.startswith("Robot "))
    things = [line.split(f" {UNDER} ")[0].split() for line in lines[end + 1 : robot]]
    flags = {name: tuple(sorted(words)) for _, name, _, *words in things}
    _, place, _, held = lines[robot].split()
    stations = []
    for line in lines[start + 1 : end]:
        _, name, *stack = line.split()
        stack = [(kind(item), flags[item]) for item in stack if item != EMPTY]
        stations.append((kind(name), tuple(stack), name == place))
    hand = None if held == NOTHING else (kind(held), flags[held])
    return tuple(sorted(stations)), hand, lines[-1]


def recover(kitchen: Kitchen, text: str) -> State:
    """The state that :func:`observe` described; the kitchen gives names and nothing else."""
    sections: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        head, _, rest = line.partition(":")
        if head in ("Stations", "Items", "Containers", "Timers", "Valid actions"):
            current = head
            sections[current] = []
        elif head in ("Empty", "Goal"):
            sections[head] = [rest.strip()]
        elif line.startswith("Robot "):
            sections["Robot"] = line.split()[1:]
        else:
            sections[current].append(line.removeprefix("- "))
    items = {name: i for i, name in enumerate(kitchen.items)}
    containers = {name: c for c, name in enumerate(kitchen.containers)}
    stacks = []
    for line in sections["Stations"]:
        things = line.split()[1:]
        stacks.append(tuple(items[t] for t in things if t in items))
    bits = {word: flag for flag, word in FLAG_WORDS.items()}
    flags, added = [0] * len(kitchen.items), set()
    for line in sections["Items"]:
        name, place, *words = line.partition(f" {UNDER} ")[0].split()
        i = items[name]
        flags[i] = int(sum(bits[word] for word in words))
        if place.startswith("water"):
            added.add((i, int(place[5:]) - 1))
    contents, meals = [], {}
    for line in sections.get("Containers", []):
        _, place, inside, *boiling = line.split()
        meal = -1 if inside == EMPTY else int(inside[5:]) - 1
        if meal >= 0:
            meals[meal] = int(bool(boiling))
        contents.append((kitchen.station_index.get(place, -1), meal))
    effects = []
    for line in sections.get("Timers", []):
        kind, name, *station, count = line.split()
        index = containers[name] if name in containers else items[name]
        place = kitchen.station_index[station[0]] if station else -1
        effects.append((EFFECT_WORDS.index(kind), index, place, int(count)))
    where, _, held = sections["Robot"]
    hand = -1
    if held != NOTHING:
        hand = items[held] if held in items else len(kitchen.items) + containers[held]
    return State(
        kitchen.station_index.get(where, -1),
        hand,
        tuple(stacks),
        tuple(flags),
        tuple(contents),
        tuple(meals[m] for m in sorted(meals)),
        frozenset(added),
        tuple(effects),
    )
