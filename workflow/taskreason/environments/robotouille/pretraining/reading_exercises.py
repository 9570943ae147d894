"""Looking up and reading: questions about a kitchen, and how far its stacks follow a list.

Nothing is done about either. No list begins with or is the goal of one of the benchmark's tasks.
"""

import random
from functools import cache

from ..reasoning import recite_hand, recite_progress, recite_slot
from ..renaming import LARGEST
from ..simulator.domain import ITEM_KINDS, STATION_KINDS, Flag
from ..simulator.engine import Kitchen, State
from ..simulator.goal_stack import GoalStack, Slot, compile_stacks, find_site
from ..simulator.observation import EMPTY, NOTHING, describe_stack, list_empty, observe
from ..tasks import PUBLISHED, TASKS, load_template
from .kitchens import PILED, PREPARED, draw_start

QUESTIONS = 14
LONGEST_LIST = 7
LOOSE = 0.6
"""Share of lists of which a part may be filled in any order."""
LAST = 0.8
"""Share of lists with such a part that also have a kind that must come last."""
BURIED = 0.8
"""Share of lists with such a part whose last kind may have an item in the stack already, where it can't stay."""
AGAIN = 0.3
"""Share of the kinds of a list that it names again, so that some of a kind are built in and some are not."""
DRILL_PIECES = 6


def ask(kitchen: Kitchen, state: State, rng: random.Random) -> str:
    """Some of the answers about the state, in random order, one a line."""
    answers = list_answers(kitchen, state)
    return ".\n".join(rng.sample(answers, min(QUESTIONS, len(answers)))) + "."


def list_answers(kitchen: Kitchen, state: State) -> list[str]:
    """Answers about the state: where an item is, what is on a station, which items are of a kind."""
    place = {i: s for s, stack in enumerate(state.stacks) for i in stack}
    answers = [
        f"Robot {kitchen.stations[state.loc]} holding {kitchen.held_name(state) or NOTHING}",
        "Which empty " + (" ".join(list_empty(kitchen, state)) or "none"),
    ]
    for i, name in enumerate(kitchen.items):
        s = place.get(i)
        answers.append(f"At {name} {kitchen.robot if s is None else kitchen.stations[s]}")
        if s is not None:
            level = state.stacks[s].index(i)
            below = kitchen.items[state.stacks[s][level - 1]] if level else kitchen.stations[s]
            answers.append(f"Under {name} {below}")
    for name, stack in zip(kitchen.stations, state.stacks, strict=True):
        answers.append(f"On {name} " + (" ".join(kitchen.items[i] for i in stack) or EMPTY))
    for kind in ITEM_KINDS:
        found = [n for n, k in zip(kitchen.items, kitchen.item_kinds, strict=True) if k == kind]
        if found:
            answers.append(f"Which {kind} {' '.join(found)}")
    return answers


def build_question(kitchen: Kitchen, state: State) -> str:
    """The prompt under which questions about a state are asked."""
    head, _, _ = observe(kitchen, state).rpartition("Goal: ")
    return f"{head}Goal: ask\n"


def draw_drill(rng: random.Random) -> dict[str, str]:
    """A random list of names and pieces of it read again: what came after a name, and nothing else, is asked."""
    kinds = (*ITEM_KINDS, *STATION_KINDS)
    names = rng.sample(
        [f"{kind}{n}" for kind in kinds for n in range(1, LARGEST + 1)], rng.randint(6, 24)
    )
    pieces = []
    for _ in range(DRILL_PIECES):
        first = rng.randrange(len(names) - 3)
        pieces.append(" ".join(names[first : first + rng.randint(3, 10)]))
    return {
        "prompt": f"- {' '.join(names)}\nGoal: ask\n",
        "completion": "".join(f"At {piece}\n" for piece in pieces),
    }


def draw_list(kitchen: Kitchen, state: State, rng: random.Random) -> GoalStack:
    """A random list of kinds, mostly one that a stack on a table follows for a while."""
    kinds, flags = [], []
    stacks = [
        stack
        for kind, stack in zip(kitchen.station_kinds, state.stacks, strict=True)
        if kind == "table" and stack
    ]
    stack = ()
    if stacks and rng.random() < 0.8:
        stack = max(rng.sample(stacks, min(2, len(stacks))), key=len)[: LONGEST_LIST - 1]
        for item in stack[: max(rng.randint(1, len(stack)), rng.randint(1, len(stack)))]:
            kinds.append(kitchen.item_kinds[item])
            flags.append(int(state.flags[item] & (Flag.iscooked | Flag.iscut)))
    length = max(rng.randint(3, LONGEST_LIST), len(kinds))
    pool = (*ITEM_KINDS, *kitchen.item_kinds * 3)
    while len(kinds) < length:
        kinds.append(rng.choice(kinds if kinds and rng.random() < AGAIN else pool))
        wanted = PREPARED.get(kinds[-1])
        flags.append(int(Flag[wanted[1]]) if wanted and rng.random() < 0.6 else 0)
    slots = [Slot(kind, flag) for kind, flag in zip(kinds, flags, strict=True)]
    if rng.random() >= LOOSE:
        return GoalStack("table", tuple(slots))
    first = rng.randint(1, min(length - 1, 3))
    if len(stack) > first and rng.random() < BURIED:
        height = rng.randrange(first, len(stack))
        if height < length - 1:  # what took its place in the list is another kind
            slots[height] = Slot(rng.choice(pool), 0)
        slots[-1] = Slot(kitchen.item_kinds[stack[height]], 0)
    if length - first > 1 and rng.random() < LAST:
        return GoalStack("table", tuple(slots[:first]), tuple(slots[first:-1]), slots[-1])
    return GoalStack("table", tuple(slots[:first]), tuple(slots[first:]))


def draw_reading(rng: random.Random) -> dict[str, str]:
    """How far the stacks of a random kitchen follow a list, and what comes next: the thought without the act."""
    while True:
        kitchen, state = draw_start(rng, piled=rng.choice(PILED))
        listed = draw_list(kitchen, state, rng)
        kinds = [slot.kind for slot in listed.slots]
        if not any(kinds[: len(goal)] == goal for goal in _list_goals()):
            break
    prompt, _, _ = build_question(kitchen, state).rpartition("ask")
    return {
        "prompt": f"{prompt}{describe_stack(listed)} ask\n",
        "completion": read_stack(kitchen, state, listed),
    }


def read_stack(kitchen: Kitchen, state: State, listed: GoalStack) -> str:
    """The thought about a list as far as it can be read off the state."""
    site = find_site(kitchen, state, listed)
    parts, filled = recite_progress(site), {number for number, _ in site.list_placed()}
    slots = enumerate(listed.slots, start=1)
    if missing := next(((n, slot) for n, slot in slots if n not in filled), None):
        number, slot = missing
        parts += [recite_slot(site, number), recite_hand(kitchen, state, slot)]
    return f"Thought: {'. '.join(parts)}."


@cache
def _list_goals() -> tuple[list[str], ...]:
    """The kinds of each of the benchmark's tasks, from the bottom."""
    kitchens = (Kitchen(load_template(TASKS[name])) for name in PUBLISHED)
    stacks = (stack for kitchen in kitchens for stack in compile_stacks(kitchen.goal))
    return tuple([slot.kind for slot in stack.slots] for stack in stacks)
