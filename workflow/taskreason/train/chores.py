"""Generic kitchen chores: the corpus of the laptop's base model.

Three sorts of text over random kitchens. Questions about the kitchen in front of the model (where is patty2, what is
on table3) train looking things up, many answers a prompt. Reading exercises give a numbered list of kinds and ask how
far the stacks at hand follow it and what comes next; nothing is done about it, and no list begins with or is a recipe
of the tasks. A goal that has been reached is read in the same way. Decisions of the planner on small goals (an item on
a table, an item on another) train acting, in the prompt and reply format of the tasks. No goal has more than two
slots, so neither a recipe nor any three-high stack is ever built.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import chain
from multiprocessing import get_context

from taskreason.augment import LARGEST, draw_renaming, rename
from taskreason.errors import UserError
from taskreason.kitchen.domain import ITEM_KINDS, STATION_KINDS, Action, Flag
from taskreason.kitchen.engine import Kitchen, State
from taskreason.kitchen.layout import GoalPredicate, ItemSpec, Layout, RobotSpec, StationSpec
from taskreason.kitchen.observation import EMPTY, NOTHING, describe_tower, list_empty
from taskreason.planner import Planner
from taskreason.reasoning import (
    Expert,
    list_sites,
    match_tower,
    number_slots,
    recite_bottoms,
    recite_slot,
    recite_tower,
)
from taskreason.task import TASKS, build_prompt
from taskreason.trajectories import Decision
from taskreason.transfers import Slot, Tower, compile_towers

QUESTIONS = 14
LONGEST_LIST = 7
PILED = 0.85
"""Share of items that land on one of two piles in a reading exercise."""
CROWDED = 0.25
"""Share of kitchens in which things lie on every table, so that one must be cleared first."""
FINISHED = 0.3
"""Share of kitchens in which the reached goal is read, so that a filled slot is known as such under every goal."""
READINGS = 0.25
"""Share of reading exercises among the chores that a training on a task rehearses."""
DRILL_PIECES = 6
BLOCK = 250
"""Kitchens that are drawn from one random generator, and by one process."""
NODE_LIMIT = 3000
CHORE = "chore"
"""Stands in a chore's decision where a task's has the kitchen's hash."""
_PREPARED = {
    "chicken": ("iscookable", "iscooked"),
    "patty": ("iscookable", "iscooked"),
    "lettuce": ("iscuttable", "iscut"),
    "onion": ("iscuttable", "iscut"),
    "tomato": ("iscuttable", "iscut"),
}
"""Kinds that are prepared: their flag before and after."""


def draw_kitchen(rng: random.Random, small: bool = False, piled: float = 0.0) -> Layout:
    """A random kitchen with a small goal; stations, items, stacks, held item and goal all vary.

    piled: share of the items that are put on one of two stations, which grow high stacks.
    """
    size = 5
    cells = [(x, y) for x in range(size) for y in range(size)]
    rng.shuffle(cells)
    crowded = not small and not piled and rng.random() < CROWDED
    if small:
        tables, others = rng.randint(2, 3), rng.randint(1, 2)
    elif crowded:
        tables, others = rng.randint(1, 4), rng.randint(1, 6)
    else:
        tables, others = rng.randint(2, 7), rng.randint(0, 6)
    kinds = ["table"] * tables + [rng.choice(STATION_KINDS) for _ in range(others)]
    stations = tuple(StationSpec(kind, *cells.pop()) for kind in kinds)
    taken = {(s.x, s.y) for s in stations}
    facing, robot = _place_robot(stations, taken, size, rng)
    goal, wanted = _draw_goal(rng)
    names = list(wanted)
    pool = rng.sample(ITEM_KINDS, rng.randint(2, len(ITEM_KINDS)))
    names += [rng.choice(pool) for _ in range(rng.randint(0, 2) if small else rng.randint(1, 8))]
    names += [rng.choice(wanted)] if rng.random() < 0.5 else []
    names += [rng.choice(pool) for _ in range(tables)] if crowded else []
    rng.shuffle(names)
    prepared = {n for n in range(len(names)) if rng.random() < 0.5}
    for kind in sorted(set(names) & set(_PREPARED)):  # one at least, so that a goal can ask for it
        prepared.add(rng.choice([n for n, name in enumerate(names) if name == kind]))
    items, heights = [], {}
    held = rng.random() < 0.12
    for n, name in enumerate(names):
        predicates = (_PREPARED[name][n in prepared],) if name in _PREPARED else ()
        if held and n == 0:
            items.append(ItemSpec(name, robot.x, robot.y, 0, predicates))
            continue
        free = [s for s in stations if (s.x, s.y) not in heights]
        if piled and rng.random() < piled:
            station = rng.choice(stations[:2])  # tables come first
        elif crowded and name == wanted[0] and rng.random() < 0.8:
            station = rng.choice(stations[tables:])
        elif crowded and free:
            station = free[0]
        else:
            station = rng.choice(free if free and rng.random() < 0.7 else stations)
        level = heights.get((station.x, station.y), 0)
        heights[station.x, station.y] = level + 1
        items.append(ItemSpec(name, station.x, station.y, level, predicates))
    return Layout(stations, tuple(items), robot, (), (), goal, "A chore", size, size, "chore")


def _place_robot(stations, taken, size: int, rng: random.Random):
    for station in rng.sample(stations, len(stations)):
        steps = [(0, 1), (0, -1), (1, 0), (-1, 0)]
        rng.shuffle(steps)
        for dx, dy in steps:
            x, y = station.x - dx, station.y - dy
            if 0 <= x < size and 0 <= y < size and (x, y) not in taken:
                return station, RobotSpec(x, y, (dx, dy))
    raise UserError(
        "the chore kitchens: no station has a free cell beside it; draw fewer stations."
    )


def _draw_goal(rng: random.Random) -> tuple[tuple[GoalPredicate, ...], list[str]]:
    """A goal of one or two slots on a table, and the kinds that it needs."""
    first, second = rng.choice(ITEM_KINDS), rng.choice(ITEM_KINDS)
    terms = [GoalPredicate("item_on", (first, "table"), (1, 2))]
    kinds = [first]
    style = rng.random()
    if style > 0.1:
        kinds.append(second)
        if style < 0.65:
            terms.append(GoalPredicate("atop", (second, first), (3, 1)))
        else:
            terms.append(GoalPredicate("item_at", (second, "table"), (3, 2)))
            if style < 0.85:
                terms.append(GoalPredicate("clear", (second,), (3,)))
    for kind, key in zip(kinds, (1, 3), strict=False):
        if kind in _PREPARED and rng.random() < 0.6:
            terms.append(GoalPredicate(_PREPARED[kind][1], (kind,), (key,)))
    return tuple(terms), kinds


def ask(kitchen: Kitchen, state: State, rng: random.Random, count: int = QUESTIONS) -> str:
    """Some of the answers about the state, in random order, one a line."""
    answers = list_answers(kitchen, state)
    return ".\n".join(rng.sample(answers, min(count, len(answers)))) + "."


def list_answers(kitchen: Kitchen, state: State) -> list[str]:
    """Answers about the state: where an item is, what is on a station, which items are of a kind."""
    place = {i: s for s, stack in enumerate(state.stacks) for i in stack}
    empty = list_empty(kitchen, state)
    answers = [
        f"Robot {kitchen.stations[state.loc]} holding {kitchen.held_name(state) or NOTHING}",
        "Which empty " + (" ".join(empty) or "none"),
    ]
    for i, name in enumerate(kitchen.items):
        s = place.get(i)
        answers.append(f"At {name} {kitchen.robot if s is None else kitchen.stations[s]}")
        if s is not None:
            level = state.stacks[s].index(i)
            below = kitchen.items[state.stacks[s][level - 1]] if level else kitchen.stations[s]
            answers.append(f"Under {name} {below}")
    for s, name in enumerate(kitchen.stations):
        answers.append(
            f"On {name} " + (" ".join(kitchen.items[i] for i in state.stacks[s]) or EMPTY)
        )
    for kind in ITEM_KINDS:
        found = [n for n, k in zip(kitchen.items, kitchen.item_kinds, strict=True) if k == kind]
        if found:
            answers.append(f"Which {kind} {' '.join(found)}")
    return answers


def build_question(kitchen: Kitchen, state: State) -> str:
    """The prompt under which questions about a state are asked."""
    head, _, _ = build_prompt(kitchen, state).rpartition("Goal: ")
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


def draw_list(kitchen: Kitchen, state: State, rng: random.Random) -> Tower:
    """A random list of kinds, half of the time one that a stack on a table follows for a while."""
    kinds, flags = [], []
    stacks = [
        stack
        for kind, stack in zip(kitchen.station_kinds, state.stacks, strict=True)
        if kind == "table" and stack
    ]
    if stacks and rng.random() < 0.8:
        stack = max(rng.sample(stacks, min(2, len(stacks))), key=len)[: LONGEST_LIST - 1]
        for item in stack[: max(rng.randint(1, len(stack)), rng.randint(1, len(stack)))]:
            kinds.append(kitchen.item_kinds[item])
            flags.append(int(state.flags[item] & (Flag.iscooked | Flag.iscut)))
    length = max(rng.randint(3, LONGEST_LIST), len(kinds))
    pool = (*ITEM_KINDS, *kitchen.item_kinds * 3)
    while len(kinds) < length:
        kinds.append(rng.choice(pool))
        wanted = _PREPARED.get(kinds[-1])
        flags.append(int(Flag[wanted[1]]) if wanted and rng.random() < 0.6 else 0)
    slots = tuple(Slot(kind, flag) for kind, flag in zip(kinds, flags, strict=True))
    first = rng.randint(1, length) if rng.random() < 0.3 else length
    loose, last = slots[first:], None
    if len(loose) > 1 and rng.random() < 0.7:
        loose, last = loose[:-1], loose[-1]
    return Tower("table", slots[:first], loose, last)


def draw_reading(rng: random.Random) -> dict[str, str]:
    """How far the stacks of a random kitchen follow a list, and what comes next: the thought without the act."""
    recipes = [[slot.kind for slot in number_slots(tower)] for tower in _list_recipes()]
    while True:
        kitchen, state = _draw_start(rng, piled=PILED)
        tower = draw_list(kitchen, state, rng)
        kinds = [slot.kind for slot in number_slots(tower)]
        if not any(kinds[: len(recipe)] == recipe for recipe in recipes):
            break
    prompt, _, _ = build_question(kitchen, state).rpartition("ask")
    listed = describe_tower(tower).replace(" build ", " ask ")
    return {"prompt": f"{prompt}{listed}\n", "completion": _read_tower(kitchen, state, tower)}


def _read_tower(kitchen: Kitchen, state: State, tower: Tower) -> str:
    """The thought about a tower as far as it can be read off the state."""
    best = max(list_sites(kitchen, tower), key=lambda s: len(match_tower(kitchen, state, tower, s)))
    filled = {number for number, _ in match_tower(kitchen, state, tower, best)}
    parts = [
        recite_bottoms(kitchen, state, tower),
        recite_tower(kitchen, state, tower, best),
    ]
    slots = range(1, len(number_slots(tower)) + 1)
    if missing := [number for number in slots if number not in filled]:
        parts.append(recite_slot(kitchen, state, tower, missing[0]))
    return f"Thought: {'. '.join(parts)}."


@cache
def _list_recipes() -> tuple[Tower, ...]:
    return tuple(
        tower
        for task in TASKS.values()
        for tower in compile_towers(Kitchen(task.template).goal) or []
    )


def draw_examples(
    seed: int,
    kitchens: int,
    decisions: int = 3,
    small: int = 0,
    drills: int = 0,
    processes: int = 1,
) -> Iterator[dict[str, str]]:
    """Prompt and completion pairs: per kitchen one set of questions or a reading, and a few decisions of the planner.

    A curriculum comes first: ``drills`` bare listings, then ``small`` kitchens with few objects. Objects are renamed
    at random in every example, so that all names are learnt alike. The pairs are the same for any number of processes.
    """
    rng = random.Random(f"chores {seed}")
    yield from (draw_drill(rng) for _ in range(drills))
    blocks = [range(n, min(n + BLOCK, kitchens)) for n in range(0, kitchens, BLOCK)]
    draw = partial(_draw_block, seed, decisions, small)
    if processes == 1:
        yield from chain.from_iterable(map(draw, blocks))
        return
    with ProcessPoolExecutor(processes, get_context("fork")) as pool:
        yield from chain.from_iterable(pool.map(draw, blocks))


def _draw_block(seed: int, decisions: int, small: int, numbers: range) -> list[dict[str, str]]:
    """The examples of the kitchens with the given numbers."""
    rng = random.Random(f"chores {seed} {numbers[0]}")
    examples = []
    for number in numbers:
        kitchen, state = _draw_start(rng, number < small)
        if number < small or number % 2:
            pairs = [(build_question(kitchen, state), ask(kitchen, state, rng))]
        else:
            pairs = [tuple(draw_reading(rng).values())]
        steps = list(_draw_steps(kitchen, state, rng, decisions))
        pairs += [
            (build_prompt(kitchen, plan[n][0]), expert.reply_at(plan, n))
            for expert, plan, n in steps
        ]
        if steps and rng.random() < FINISHED:
            expert, plan, _ = steps[0]
            end = kitchen.step(*plan[-1])
            pairs.append((build_prompt(kitchen, end), _read_tower(kitchen, end, expert.tower)))
        examples += [_renamed(prompt, completion, rng) for prompt, completion in pairs]
    return examples


def count_chores(number: int, share: float) -> int:
    """Chores to be added to ``number`` rows of a task so that they make up ``share`` of the whole."""
    return round(number * share / (1 - share))


def draw_rehearsal(seed: int, number: int, decisions: int = 3) -> list[Decision]:
    """``number`` decisions of the planner on chores, to be mixed into the training on a task."""
    rng = random.Random(f"rehearsal {seed}")
    drawn: list[Decision] = []
    while len(drawn) < number:
        kitchen, state = _draw_start(rng)
        for expert, plan, n in _draw_steps(kitchen, state, rng, decisions):
            at, action = plan[n]
            drawn.append(
                Decision(
                    layout_hash=CHORE,
                    t=n,
                    prompt=build_prompt(kitchen, at),
                    completion=expert.reply_at(plan, n),
                    action=action.text,
                    optimal_actions=tuple(a.text for a in expert.planner.optimal_actions(at)),
                    optimal_steps_left=len(plan) - n,
                )
            )
    return drawn[:number]


def draw_lessons(seed: int, number: int) -> list[dict[str, str]]:
    """``number`` prompt and completion pairs to be mixed into SFT: chores, and some reading exercises."""
    rng = random.Random(f"lessons {seed}")
    readings = round(number * READINGS)
    lessons = [_renamed(*draw_reading(rng).values(), rng) for _ in range(readings)]
    for chore in draw_rehearsal(seed, number - readings):
        lessons.append(_renamed(chore.prompt, chore.completion, rng))
    rng.shuffle(lessons)
    return lessons


def _draw_start(
    rng: random.Random, small: bool = False, piled: float = 0.0
) -> tuple[Kitchen, State]:
    """A random kitchen, some random steps into an episode."""
    kitchen = Kitchen(draw_kitchen(rng, small, piled))
    state = kitchen.initial
    for _ in range(rng.choice((0, 0, 1, 3, 6))):
        state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
    return kitchen, state


def _draw_steps(
    kitchen: Kitchen, state: State, rng: random.Random, number: int
) -> Iterator[tuple[Expert, list[tuple[State, Action]], int]]:
    """Up to ``number`` steps of the expert's plan from a state; none where planning would take long."""
    if kitchen.is_goal(state):
        return
    expert = Expert(kitchen, Planner(kitchen, node_limit=NODE_LIMIT))
    try:
        plan = expert.plan(state)
    except (UserError, ValueError):  # too cluttered to plan in quickly, or at all: no loss here
        return
    for n in sorted(rng.sample(range(len(plan)), min(number, len(plan)))):
        yield expert, plan, n


def _renamed(prompt: str, completion: str, rng: random.Random) -> dict[str, str]:
    renaming = draw_renaming(prompt, rng)
    return {"prompt": rename(prompt, renaming), "completion": rename(completion, renaming)}
