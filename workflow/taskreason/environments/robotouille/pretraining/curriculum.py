"""Generic kitchen chores: the corpus of the laptop's base model, and the material that trainings on tasks rehearse.

Three sorts of text over random kitchens. Questions about the kitchen in front of the model (where is patty2, what is
on table3) train looking things up, many answers a prompt. Reading exercises give a numbered list of kinds, with the
word "ask" behind it, and the reply says how far the stacks at hand follow it and what comes next; nothing is done about
it, and no list begins with or is the goal of one of the benchmark's tasks. A goal that has been reached is read in the
same way. Decisions of the planner on small goals (an item on a table, an item on another) train acting, in the prompt
and reply format of the tasks. No goal has more than two slots, so neither a task's nor any three-high stack is built.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from operator import itemgetter
from typing import Any

from taskreason.durability.errors import UserError
from taskreason.durability.progress import Progress, follow
from taskreason.environments.base import REHEARSED, Decision, Pretraining, Rehearsal

from ..planner.search import Planner
from ..renaming import draw_renaming, rename
from ..simulator.engine import Kitchen, State
from ..simulator.observation import observe
from ..teacher import KitchenTeacher, Plan
from ..world import KitchenWorld
from .exercises import (
    ask,
    build_question,
    draw_drill,
    draw_hindered,
    draw_reading,
    draw_scene,
    read_stack,
)

ASKED, READ = 4, 2
"""One kitchen in ``ASKED`` comes with questions, each other one with ``READ`` reading exercises."""
DECISIONS, REHEARSALS = 2, 3
"""Decisions of the planner that are taken from one kitchen: of the corpus, and of what is rehearsed."""
FINISHED = 0.3
"""Share of kitchens in which the reached goal is read, so that a filled slot is known as such under every goal."""
READINGS = 0.25
"""Share of reading exercises among the chores that a training on a task rehearses."""
HINDERED = 0.6
"""Share of the chores to rehearse that begin with an idle item in the robot's hand, as many of the tasks do."""
BLOCK = 250
"""Kitchens that are drawn from one random generator, and by one process."""
NODE_LIMIT = 3000


class KitchenPretraining(Pretraining):
    """A curriculum: bare listings first, then kitchens with few objects, then larger ones.

    Objects are renamed at random in every example, so that all names are learnt alike.
    """

    sizes = {
        "drills": "Lists of names in which the model looks up what comes after one; they come first.",
        "small_chores": "How many of the kitchens have few objects; they come next.",
        "chores": "Random kitchens from which the corpus is drawn.",
        "starts": "Kitchens in which the robot holds an item that does not come first, among the others.",
    }

    def build_tokenizer(self) -> Any:
        """One token a name; see `tokenizer`."""
        from .tokenizer import build_tokenizer

        return build_tokenizer()

    def draw_examples(
        self, seed: int, sizes: Mapping[str, int], processes: int
    ) -> Iterator[dict[str, str]]:
        """Per kitchen a set of questions or some readings, and a few decisions of the planner."""
        rng = random.Random(f"chores {seed}")
        yield from (draw_drill(rng) for _ in range(sizes["drills"]))
        blocks = [
            (n / sizes[part], draw, range(n, min(n + BLOCK, sizes[part])))
            for part, draw in (("chores", _draw_block), ("starts", _draw_starts))
            for n in range(0, sizes[part], BLOCK)
        ]
        # Evenly mixed: what a model is taught last it does at the cost of the rest.
        blocks = [block[1:] for block in sorted(blocks, key=itemgetter(0))]
        draw = partial(_draw_part, seed, sizes["small_chores"])
        told = partial(follow, label="chores", total=len(blocks), unit="parts drawn")
        if processes == 1:
            yield from chain.from_iterable(told(map(draw, blocks)))
            return
        with ProcessPoolExecutor(processes, get_context("fork")) as pool:
            yield from chain.from_iterable(told(pool.map(draw, blocks)))

    def bound_decisions(self, sizes: Mapping[str, int]) -> int:
        """So many for each kitchen in which planning is quick, and fewer where a plan is short."""
        return DECISIONS * (sizes["chores"] + sizes["starts"])

    def label(self, ids: list[int], labels: list[int], tokenizer: Any) -> list[int]:
        """Everything that can be told from what stands before it is learnt.

        That is the reply, and also the prompt from the list of items to the valid actions, which repeats in another
        order what the list of stations says. Questions are drawn at random, so only their answers count.
        """
        items, goal, *questions = tokenizer.convert_tokens_to_ids(
            ["Items:\n", "Goal:", "At", "On", "Under", "Which"]
        )
        labels, last = list(labels), ids.index(goal)
        if items in ids:  # a drill is a bare list of random names, with nothing to tell in advance
            first = ids.index(items) + 1
            labels[first:last] = ids[first:last]
        for n in range(last, len(ids)):
            if ids[n] in questions:
                labels[n : n + 2] = [-100, -100]
        return labels


class KitchenRehearsal(Rehearsal):
    """Chores and reading exercises, to be mixed into the training on a task."""

    def draw_decisions(self, seed: int, number: int) -> list[Decision]:
        """Decisions of the planner on chores."""
        rng = random.Random(f"rehearsal {seed}")
        drawn: list[Decision] = []
        progress = Progress("chores", number, "drawn")
        while len(drawn) < number:
            hindered = rng.random() < HINDERED
            kitchen, state = draw_hindered(rng) if hindered else draw_scene(rng)
            for teacher, plan, n in _draw_steps(kitchen, state, rng, REHEARSALS, hindered):
                at, action = plan[n]
                prompt, reply = observe(kitchen, at), teacher.reply(at)
                optimal, left = teacher.optimal(at), len(plan) - n
                drawn.append(Decision(REHEARSED, n, prompt, reply, action.text, optimal, left))
            progress.show(len(drawn))
        return drawn[:number]

    def count_decisions(self, lessons: int) -> int:
        """All lessons but the reading exercises."""
        return lessons - round(lessons * READINGS)

    def draw_lessons(
        self, seed: int, number: int, decisions: Sequence[Decision]
    ) -> list[dict[str, str]]:
        """Chores, and some reading exercises, renamed and shuffled."""
        rng = random.Random(f"lessons {seed}")
        readings = number - self.count_decisions(number)
        lessons = [_renamed(*draw_reading(rng), rng) for _ in range(readings)]
        lessons += [_renamed(chore.prompt, chore.completion, rng) for chore in decisions]
        rng.shuffle(lessons)
        return lessons


def _draw_part(seed: int, small: int, part: tuple[Callable, range]) -> list[dict[str, str]]:
    draw, numbers = part
    return draw(seed, small, numbers)


def _draw_starts(seed: int, small: int, numbers: range) -> list[dict[str, str]]:
    """The first decisions in kitchens where the robot begins with an idle item in its hand."""
    rng = random.Random(f"starts {seed} {numbers[0]}")
    examples = []
    for _ in numbers:
        kitchen, state = draw_hindered(rng)
        for teacher, plan, n in _draw_steps(kitchen, state, rng, DECISIONS, first=True):
            at = plan[n][0]
            examples.append(_renamed(observe(kitchen, at), teacher.reply(at), rng))
    return examples


def _draw_block(seed: int, small: int, numbers: range) -> list[dict[str, str]]:
    """The examples of the kitchens with the given numbers."""
    rng = random.Random(f"chores {seed} {numbers[0]}")
    examples = []
    for number in numbers:
        kitchen, state = draw_scene(rng, number < small)
        if number < small or number % ASKED == 0:
            pairs = [(build_question(kitchen, state), ask(kitchen, state, rng))]
        else:
            pairs = [draw_reading(rng) for _ in range(READ)]
        steps = list(_draw_steps(kitchen, state, rng, DECISIONS))
        for teacher, plan, n in steps:
            at = plan[n][0]
            pairs.append((observe(kitchen, at), teacher.reply(at)))
        if steps and rng.random() < FINISHED:
            teacher, plan, _ = steps[0]
            end = kitchen.step(*plan[-1])
            pairs.append((observe(kitchen, end), read_stack(kitchen, end, teacher.target)))
        examples += [_renamed(prompt, completion, rng) for prompt, completion in pairs]
    return examples


def _draw_steps(
    kitchen: Kitchen, state: State, rng: random.Random, number: int, first: bool = False
) -> Iterator[tuple[KitchenTeacher, Plan, int]]:
    """Up to ``number`` steps of a plan from a state, or its first two; none where planning would take long."""
    if kitchen.is_goal(state):
        return
    # Without detours: which kitchens are planned within the limit decides what the shipped base model was taught.
    planner = Planner(kitchen, NODE_LIMIT, detours=False)
    teacher = KitchenTeacher(KitchenWorld(kitchen), planner)
    try:
        plan = teacher.plan(state)
    except (UserError, ValueError):  # too cluttered to plan in quickly, or at all: no loss here
        return
    chosen = rng.sample(range(len(plan)), min(number, len(plan)))
    for n in range(min(2, len(plan))) if first else sorted(chosen):
        if teacher.is_explained(plan[n:]):
            yield teacher, plan, n


def _renamed(prompt: str, completion: str, rng: random.Random) -> dict[str, str]:
    renaming = draw_renaming(prompt, rng)
    return {"prompt": rename(prompt, renaming), "completion": rename(completion, renaming)}
