"""Generic kitchen chores: the corpus of the laptop's base model.

Three sorts of text over random kitchens. Questions about the kitchen in front of the model (where is patty2, what is
on table3) train looking things up, many answers a prompt. Reading exercises give a numbered list of kinds, with the
word "ask" behind it, and the reply says how far the stacks at hand follow it and what comes next; nothing is done about
it, and no list begins with or is a recipe of the tasks. A goal that has been reached is read in the same way. Decisions
of the planner on small goals (an item on a table, an item on another) train acting, in the prompt and reply format of
the tasks. No goal has more than two slots, so neither a recipe nor any three-high stack is ever built.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context

from taskreason.durability.errors import UserError
from taskreason.durability.progress import Progress, follow
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.pretraining.kitchens import draw_contested, draw_start
from taskreason.environments.robotouille.pretraining.reading_exercises import (
    ask,
    build_question,
    draw_drill,
    draw_reading,
    read_tower,
)
from taskreason.environments.robotouille.renaming import draw_renaming, rename
from taskreason.environments.robotouille.simulator.domain import Action
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.teacher import Expert
from taskreason.policies.prompt import build_prompt
from taskreason.rollouts.dataset import Decision

ASKED, READ = 4, 2
"""Every so many kitchens come with questions, the others with so many reading exercises."""
FINISHED = 0.3
"""Share of kitchens in which the reached goal is read, so that a filled slot is known as such under every goal."""
READINGS = 0.25
"""Share of reading exercises among the chores that a training on a task rehearses."""
CONTESTED = 0.05
"""Share of kitchens in which an item of a wanted kind lies idle on the goal's tower, to be moved or left there."""
BLOCK = 250
"""Kitchens that are drawn from one random generator, and by one process."""
NODE_LIMIT = 3000
CHORE = "chore"
"""Stands in a chore's decision where a task's has the kitchen's hash."""


def draw_examples(
    seed: int,
    kitchens: int,
    decisions: int = 2,
    small: int = 0,
    drills: int = 0,
    processes: int = 1,
) -> Iterator[dict[str, str]]:
    """Prompt and completion pairs: per kitchen a set of questions or some readings, and a few decisions of the planner.

    A curriculum comes first: ``drills`` bare listings, then ``small`` kitchens with few objects. Objects are renamed
    at random in every example, so that all names are learnt alike. The pairs are the same for any number of processes.
    """
    rng = random.Random(f"chores {seed}")
    yield from (draw_drill(rng) for _ in range(drills))
    blocks = [range(n, min(n + BLOCK, kitchens)) for n in range(0, kitchens, BLOCK)]
    draw = partial(_draw_block, seed, decisions, small)
    told = partial(follow, label="chores", total=len(blocks), unit="parts drawn")
    if processes == 1:
        yield from chain.from_iterable(told(map(draw, blocks)))
        return
    with ProcessPoolExecutor(processes, get_context("fork")) as pool:
        yield from chain.from_iterable(told(pool.map(draw, blocks)))


def _draw_block(seed: int, decisions: int, small: int, numbers: range) -> list[dict[str, str]]:
    """The examples of the kitchens with the given numbers."""
    rng = random.Random(f"chores {seed} {numbers[0]}")
    examples = []
    for number in numbers:
        kitchen, state = _draw_scene(rng, number < small)
        if number < small or number % ASKED == 0:
            pairs = [(build_question(kitchen, state), ask(kitchen, state, rng))]
        else:
            pairs = [tuple(draw_reading(rng).values()) for _ in range(READ)]
        steps = list(_draw_steps(kitchen, state, rng, decisions))
        pairs += [
            (build_prompt(kitchen, plan[n][0]), expert.reply_at(plan, n))
            for expert, plan, n in steps
        ]
        if steps and rng.random() < FINISHED:
            expert, plan, _ = steps[0]
            end = kitchen.step(*plan[-1])
            pairs.append((build_prompt(kitchen, end), read_tower(kitchen, end, expert.tower)))
        examples += [_renamed(prompt, completion, rng) for prompt, completion in pairs]
    return examples


def count_chores(number: int, share: float) -> int:
    """Chores to be added to ``number`` rows of a task so that they make up ``share`` of the whole."""
    return round(number * share / (1 - share))


def draw_rehearsal(seed: int, number: int, decisions: int = 3) -> list[Decision]:
    """``number`` decisions of the planner on chores, to be mixed into the training on a task."""
    rng = random.Random(f"rehearsal {seed}")
    drawn: list[Decision] = []
    progress = Progress("chores", number, "drawn")
    while len(drawn) < number:
        kitchen, state = _draw_scene(rng)
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
        progress.show(len(drawn))
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


def _draw_scene(rng: random.Random, small: bool = False) -> tuple[Kitchen, State]:
    """Where a chore begins; small kitchens have no room for an idle item on the tower."""
    if not small and rng.random() < CONTESTED:
        return draw_contested(rng)
    return draw_start(rng, small)


def _draw_steps(
    kitchen: Kitchen, state: State, rng: random.Random, number: int
) -> Iterator[tuple[Expert, list[tuple[State, Action]], int]]:
    """Up to ``number`` steps of the expert's plan from a state; none where planning would take long."""
    if kitchen.is_goal(state):
        return
    # Without detours: which kitchens are planned within the limit decides what the shipped base model was taught.
    expert = Expert(kitchen, Planner(kitchen, node_limit=NODE_LIMIT, detours=False))
    try:
        plan = expert.plan(state)
    except (UserError, ValueError):  # too cluttered to plan in quickly, or at all: no loss here
        return
    for n in sorted(rng.sample(range(len(plan)), min(number, len(plan)))):
        if expert.is_explained(plan[n:]):
            yield expert, plan, n


def _renamed(prompt: str, completion: str, rng: random.Random) -> dict[str, str]:
    renaming = draw_renaming(prompt, rng)
    return {"prompt": rename(prompt, renaming), "completion": rename(completion, renaming)}
