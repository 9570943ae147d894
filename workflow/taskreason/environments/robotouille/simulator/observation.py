"""What the agent reads: a kitchen's state as text, without loss, ending with the valid actions and the goal.

Every station is listed with its stack from bottom to top, every item, kind by kind, with its station, its flags and
what lies on it with its flags, then the robot, the empty stations (tables first), running timers, the valid actions and
the goal. What is said of a thing comes right after its name, and every name after a space: a small model finds "table5"
by looking for what followed "patty1". The tests read every state back from its text.
"""

from collections.abc import Mapping
from itertools import product

from . import domain
from .domain import Flag
from .engine import Kitchen, State
from .goal import PREDICATES
from .goal_stack import GoalStack, Slot, find_target

FLAG_WORDS = {int(flag): flag.name.removeprefix("is") for flag in Flag}
EFFECT_WORDS = ("cook", "cut", "fry", "fill", "boil", "fryable")
NOTHING, EMPTY, UNDER = "nothing", "empty", "under"


def observe(kitchen: Kitchen, state: State) -> str:
    """The state as text: stations, items, robot, empty stations, timers, valid actions, goal."""
    lines = ["Stations:", *_station_lines(kitchen, state), "Items:"]
    lines += [f"- {describe_place(kitchen, state, item, {})}" for item in list_items(kitchen)]
    if kitchen.containers:
        lines += ["Containers:", *_container_lines(kitchen, state)]
    if state.effects:
        lines += ["Timers:", *_timer_lines(kitchen, state)]
    place = kitchen.stations[state.loc] if state.loc >= 0 else "nowhere"
    lines.append(f"Robot {place} holding {kitchen.held_name(state) or NOTHING}")
    lines.append("Empty: " + (" ".join(list_empty(kitchen, state)) or "none"))
    lines += ["Valid actions:", *(action.text for action in kitchen.valid_actions(state))]
    lines.append(f"Goal: {describe_goal(kitchen)}")
    return "\n".join(lines) + "\n"


def list_empty(kitchen: Kitchen, state: State) -> list[str]:
    """Names of the stations that carry nothing, tables first."""
    taken = {place for place, _ in state.containers}
    empty = [s for s, stack in enumerate(state.stacks) if not stack and s not in taken]
    empty.sort(key=lambda s: kitchen.station_kinds[s] != "table")
    return [kitchen.stations[s] for s in empty]


def list_items(kitchen: Kitchen) -> list[int]:
    """The items in the order in which they are listed: kind by kind, each kind in the layout's order."""
    return sorted(range(len(kitchen.items)), key=lambda i: kitchen.item_kinds[i])


def describe_place(kitchen: Kitchen, state: State, item: int, marks: Mapping[int, int]) -> str:
    """Where an item is, its flags, and what lies on it, from the bottom up: ``bread1 table2 under patty1 cooked``.

    marks: item -> number to be written before it, such as its slot in the goal's stack.
    """

    def name(i: int) -> str:
        return f"{marks[i]} {kitchen.items[i]}" if i in marks else kitchen.items[i]

    stack = next((stack for stack in state.stacks if item in stack), None)
    above = stack[stack.index(item) + 1 :] if stack else ()
    if stack:
        place = kitchen.stations[state.stacks.index(stack)]
    elif item == state.hand:
        place = kitchen.robot
    else:
        place = kitchen.meal_names(state)[dict(state.added)[item]]
    words = [name(item), place, *list_flags(state.flags[item]), *([UNDER] if above else [])]
    for i in above:
        words += [name(i), *list_flags(state.flags[i])]
    return " ".join(words)


def list_flags(flags: int) -> list[str]:
    """The words for an item's flags."""
    return [word for flag, word in FLAG_WORDS.items() if flags & flag]


def _station_lines(kitchen: Kitchen, state: State):
    for s, (name, stack) in enumerate(zip(kitchen.stations, state.stacks, strict=True)):
        things = [kitchen.items[i] for i in stack]
        things += [kitchen.containers[c] for c, (at, _) in enumerate(state.containers) if at == s]
        yield f"- {name} {' '.join(things) or EMPTY}"


def _container_lines(kitchen: Kitchen, state: State):
    meals = kitchen.meal_names(state)
    for name, (place, meal) in zip(kitchen.containers, state.containers, strict=True):
        where = kitchen.stations[place] if place >= 0 else kitchen.robot
        words = [EMPTY] if meal < 0 else [meals[meal], *(["boiling"] if state.meals[meal] else [])]
        yield " ".join(["-", name, where, *words])


def _timer_lines(kitchen: Kitchen, state: State):
    for kind, obj, station, count in state.effects:
        word = EFFECT_WORDS[kind]
        name = (kitchen.containers if word in ("fill", "boil") else kitchen.items)[obj]
        where = f" {kitchen.stations[station]}" if station >= 0 else ""
        yield f"- {word} {name}{where} {count}"


def describe_goal(kitchen: Kitchen) -> str:
    """The goal spelled out: numbered slots for a stack of items, the ground predicates for anything else."""
    if target := find_target(kitchen.goal):
        return describe_stack(target)
    goal = kitchen.goal
    words = {key: f"{kind} #{key}" for key, kind in goal.kinds.items()}
    words |= {key: kitchen.named[key][1] for key in goal.fixed}
    return " and ".join(f"{name}({', '.join(map(words.get, ids))})" for name, ids in goal.terms)


def describe_stack(target: GoalStack) -> str:
    """A goal's stack in words, its slots numbered from the bottom."""
    leads = {len(target.chain) + 1: " any order"} if target.loose else {}
    if target.top:
        leads[len(target.slots)] = " last"
    slots = enumerate(target.slots, 1)
    told = (f"{leads.get(n, '')} {n} {describe_slot(slot)}" for n, slot in slots)
    return f"on a {target.station}{''.join(told)}"


def describe_slot(slot: Slot) -> str:
    """A slot in words: ``cooked patty``."""
    return " ".join([*list_flags(slot.flags), slot.kind])


def list_predicates(kitchen: Kitchen, state: State) -> list[str]:
    """The state's true ground predicates in the reference's notation, sorted: ``atop(patty1,bottombun1)``.

    Everything that the reference's domain knows of is listed, what never changes (kinds of things) included.
    """
    names = {
        domain.STATION_KINDS: kitchen.stations,
        domain.ITEM_KINDS: kitchen.items,
        domain.CONTAINER_KINDS: kitchen.containers,
        domain.MEAL_KINDS: kitchen.meal_names(state),
        domain.PLAYER_KINDS: (kitchen.robot,),
    }
    found = [f"is{domain.kind_of(name)}({name})" for things in names.values() for name in things]
    for predicate, (holds, *kinds) in PREDICATES.items():
        for things in product(*(enumerate(names[kind]) for kind in kinds)):
            if holds(state, *(index for index, _ in things)):
                found.append(f"{predicate}({','.join(name for _, name in things)})")
    return sorted(found)
