"""What examples for the laptop's base model are made of: random kitchens with small goals, and exercises in reading.

No goal has more than two slots, so neither what a task asks for nor any three-high stack is ever asked for. The
exercises ask about a kitchen, or how far its stacks follow a list; nothing is done about either, and no list begins
with or is the goal of one of the benchmark's tasks.
"""

import random
from functools import cache

from taskreason.durability.errors import UserError

from ..recital import recite_hand, recite_progress, recite_slot
from ..renaming import LARGEST
from ..simulator.domain import ITEM_KINDS, STATION_KINDS, Flag
from ..simulator.engine import Kitchen, State
from ..simulator.goal_stack import GoalStack, Slot, compile_stacks, find_site
from ..simulator.layout import DIRECTIONS, GoalPredicate, Layout, Robot, Thing
from ..simulator.observation import EMPTY, NOTHING, describe_stack, list_empty, observe
from ..tasks import PUBLISHED, TASKS, load_template

CROWDED = 0.35
"""Share of kitchens in which things lie on every table, so that one must be cleared first."""
PILED = (0.4, 0.6, 0.85)
"""Shares of items that land on one of two piles, where high stacks are wanted."""
COVERED = 0.5
"""Share of the other kitchens in which something lies on the goal's lowest item, which is on a table already."""
HELD = 0.25
"""Share of kitchens in which the robot holds something at the start."""
CONTESTED = 0.05
"""Share of kitchens in which an item of a wanted kind lies idle on the goal's stack, to be moved or left there."""
PREPARED = {
    **dict.fromkeys(("chicken", "patty"), ("iscookable", "iscooked")),
    **dict.fromkeys(("lettuce", "onion", "tomato"), ("iscuttable", "iscut")),
}
"""Kinds that are prepared: their flag before and after."""
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
BEGUN = 0.1
"""Share of scenes with the goal begun that are kept where most are to have nothing done yet."""

LATER, BEFORE, TWICE = 0.3, 0.9, 0.3
"""Of the scenes with an item in hand: shares in which a later slot may ask for it, in which the robot stands
before something that a slot asks for, and in which two slots ask for the same kind."""


def draw_kitchen(rng: random.Random, small: bool = False, piled: float = 0.0) -> Layout:
    """A random kitchen with a small goal; stations, items, stacks, held item and goal all vary.

    piled: share of the items that are put on one of two stations, which grow high stacks.
    """
    size = 5
    cells = [(x, y) for x in range(size) for y in range(size)]
    rng.shuffle(cells)
    plain = not small and not piled
    crowded = plain and rng.random() < CROWDED
    covered = plain and not crowded and rng.random() < COVERED
    if small:
        tables, others = rng.randint(2, 3), rng.randint(1, 2)
    elif crowded:
        tables, others = rng.randint(1, 4), rng.randint(1, 6)
    else:
        tables, others = rng.randint(2, 7), rng.randint(0, 6)
    kinds = ["table"] * tables + [rng.choice(STATION_KINDS) for _ in range(others)]
    stations = tuple(Thing(kind, *cells.pop()) for kind in kinds)
    robot = _place_robot(stations, size, rng)
    goal, wanted = _draw_goal(rng)
    pool = rng.sample(ITEM_KINDS, rng.randint(2, len(ITEM_KINDS)))
    names = list(wanted)
    names += [rng.choice(pool) for _ in range(rng.randint(0, 2) if small else rng.randint(1, 8))]
    names += rng.choices(wanted[-1:] if covered else wanted, k=rng.choice((0, 1, 1, 2)))
    names += [rng.choice(pool) for _ in range(tables)] if crowded else []
    rng.shuffle(names)
    if covered:
        names.remove(wanted[0])
        names.insert(0, wanted[0])
    prepared = {n for n in range(len(names)) if rng.random() < 0.5}
    for kind in sorted(set(names) & set(PREPARED)):  # one at least, so that a goal can ask for it
        prepared.add(rng.choice([n for n, name in enumerate(names) if name == kind]))
    items, heights = [], {}
    held = (2 if covered else 0) if rng.random() < HELD else None
    for n, name in enumerate(names):
        predicates = (PREPARED[name][n in prepared],) if name in PREPARED else ()
        if n == held:
            items.append(Thing(name, robot.x, robot.y, 0, predicates))
            continue
        free = [s for s in stations if (s.x, s.y) not in heights]
        if covered and n < 2:
            station = stations[0]  # tables come first
        elif piled and rng.random() < piled:
            station = rng.choice(stations[:2])
        elif crowded and name == wanted[0] and rng.random() < 0.8:
            station = rng.choice(stations[tables:])
        elif crowded and free:
            station = free[0]
        else:
            station = rng.choice(free if free and rng.random() < 0.7 else stations)
        level = heights.get((station.x, station.y), 0)
        heights[station.x, station.y] = level + 1
        items.append(Thing(name, station.x, station.y, level, predicates))
    return Layout(stations, tuple(items), robot, (), (), goal, "A chore", size, size, "chore")


def _place_robot(stations: tuple[Thing, ...], size: int, rng: random.Random) -> Robot:
    """The robot on a free cell beside a random station, turned to it."""
    taken = {(s.x, s.y) for s in stations}
    for station in rng.sample(stations, len(stations)):
        steps = list(DIRECTIONS)
        rng.shuffle(steps)
        for dx, dy in steps:
            x, y = station.x - dx, station.y - dy
            if 0 <= x < size and 0 <= y < size and (x, y) not in taken:
                return Robot(x, y, (dx, dy))
    raise UserError(
        "the chore kitchens: no station has a free cell beside it; draw fewer stations."
    )


def _draw_goal(rng: random.Random) -> tuple[tuple[GoalPredicate, ...], list[str]]:
    """A goal of one or two slots on a table, and the kinds that it needs.

    No slot must come last: with two slots it would be the next one at once, which is no rule for longer lists.
    """
    first, second = rng.choice(ITEM_KINDS), rng.choice(ITEM_KINDS)
    terms, kinds = [GoalPredicate("item_on", (first, "table"), (1, 2))], [first]
    style = rng.random()
    if style > 0.1:
        kinds.append(second)
        atop = GoalPredicate("atop", (second, first), (3, 1))
        terms.append(atop if style < 0.65 else GoalPredicate("item_at", (second, "table"), (3, 2)))
    for kind, key in zip(kinds, (1, 3), strict=False):
        if kind in PREPARED and rng.random() < 0.6:
            terms.append(GoalPredicate(PREPARED[kind][1], (kind,), (key,)))
    return tuple(terms), kinds


def draw_start(rng: random.Random, small: bool = False, piled: float = 0) -> tuple[Kitchen, State]:
    """A random kitchen, some random steps into an episode."""
    kitchen = Kitchen(draw_kitchen(rng, small, piled))
    state = kitchen.initial
    for _ in range(rng.choice((0, 0, 1, 3, 6))):
        state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
    return kitchen, state


def draw_scene(rng: random.Random, small: bool = False) -> tuple[Kitchen, State]:
    """Where a chore begins; small kitchens have no room for an idle item on the stack."""
    if small or rng.random() >= CONTESTED:
        return draw_start(rng, small)
    while True:
        kitchen, state = draw_start(rng, piled=rng.choice(PILED))
        for target in compile_stacks(kitchen.goal):
            if find_site(kitchen, state, target).list_contested():
                return kitchen, state


def draw_hindered(rng: random.Random) -> tuple[Kitchen, State]:
    """A scene in which the robot holds something that the lowest slot does not ask for, mostly before what a slot does.

    Many of the benchmark's kitchens begin so. Whether it can stay here, on what lies here already, depends on whether
    the plan needs that. There is an empty station as well; and mostly nothing is in its final place yet.
    """
    twice = rng.random() < TWICE
    while True:
        kitchen, state = draw_start(rng)
        stacks = compile_stacks(kitchen.goal)
        kinds = [slot.kind for stack in stacks for slot in stack.slots]
        if twice and len(kinds) == len(set(kinds)):
            continue
        begun = any(find_site(kitchen, state, stack).list_placed() for stack in stacks)
        wanted = set(kinds)
        shunned = {stack.slots[0].kind for stack in stacks} if rng.random() < LATER else wanted
        tops = [(s, stack[-1]) for s, stack in enumerate(state.stacks) if stack]
        idle = [top for top in tops if kitchen.item_kinds[top[1]] not in shunned]
        asked = wanted if rng.random() < BEFORE else set(kitchen.item_kinds)
        before = [s for s, item in tops if kitchen.item_kinds[item] in asked]
        free = state.hand < 0 and not state.effects and list_empty(kitchen, state)
        if free and idle and before and (not begun or rng.random() < BEGUN):
            station, item = rng.choice(idle)
            left = tuple(s[:-1] if n == station else s for n, s in enumerate(state.stacks))
            return kitchen, state._replace(hand=item, loc=rng.choice(before), stacks=left)


# ------------------------------------------------------------ what is asked and read


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
    return observe(kitchen, state).rpartition("Goal: ")[0] + "Goal: ask\n"


def draw_drill(rng: random.Random) -> dict[str, str]:
    """A random list of names and pieces of it read again: what came after a name, and nothing else, is asked."""
    kinds = (*ITEM_KINDS, *STATION_KINDS)
    known = [f"{kind}{n}" for kind in kinds for n in range(1, LARGEST + 1)]
    names = rng.sample(known, rng.randint(6, 24))
    answer = ""
    for _ in range(DRILL_PIECES):
        first = rng.randrange(len(names) - 3)
        answer += f"At {' '.join(names[first : first + rng.randint(3, 10)])}\n"
    return {"prompt": f"- {' '.join(names)}\nGoal: ask\n", "completion": answer}


def draw_list(kitchen: Kitchen, state: State, rng: random.Random) -> GoalStack:
    """A random list of kinds, mostly one that a stack on a table follows for a while."""
    kinds, flags = [], []
    places = zip(kitchen.station_kinds, state.stacks, strict=True)
    stacks = [stack for kind, stack in places if kind == "table" and stack]
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
    top = slots.pop() if length - first > 1 and rng.random() < LAST else None
    return GoalStack("table", tuple(slots[:first]), tuple(slots[first:]), top)


def draw_reading(rng: random.Random) -> tuple[str, str]:
    """A prompt and how far the stacks of its random kitchen follow a list, and what comes next, without the act."""
    while True:
        kitchen, state = draw_start(rng, piled=rng.choice(PILED))
        listed = draw_list(kitchen, state, rng)
        kinds = [slot.kind for slot in listed.slots]
        if not any(kinds[: len(goal)] == goal for goal in _list_goals()):
            break
    prompt = build_question(kitchen, state).rpartition("ask")[0]
    return f"{prompt}{describe_stack(listed)} ask\n", read_stack(kitchen, state, listed)


def read_stack(kitchen: Kitchen, state: State, listed: GoalStack) -> str:
    """The thought about a list as far as it can be read off the state."""
    site = find_site(kitchen, state, listed)
    parts, filled = recite_progress(site), {number for number, _ in site.list_placed()}
    for number, slot in enumerate(listed.slots, start=1):
        if number not in filled:
            parts += [recite_slot(site, number), recite_hand(kitchen, state, slot, listed)]
            break
    return f"Thought: {'. '.join(parts)}."


@cache
def _list_goals() -> tuple[list[str], ...]:
    """The kinds of each of the benchmark's tasks, from the bottom."""
    kitchens = (Kitchen(load_template(TASKS[name])) for name in PUBLISHED)
    stacks = (stack for kitchen in kitchens for stack in compile_stacks(kitchen.goal))
    return tuple([slot.kind for slot in stack.slots] for stack in stacks)
