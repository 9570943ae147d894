"""What the base model can do before any task is taught: looking things up, and single chores.

Questions are asked on the unseen evaluation kitchens of the tasks, some random steps into an episode, in the wording
of the base model's corpus; an answer counts when all of it is right. Readings compare the stacks of a kitchen with a
list of kinds; a harder sort asks for more of the list's lowest kind once the stack holds it, as a sandwich does with
its second bread. Chores are decisions in unseen kitchens whose goals name kinds ("a cooked patty on a bread"), so that
the model must find the items itself.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from taskreason.environments.base import Decision, Probe
from taskreason.environments.reply import read_action

from ..world import KitchenWorld
from .curriculum import KitchenRehearsal
from .exercises import build_question, draw_reading, list_answers

SIZES = {
    "questions": "Questions of each sort (where an item is, what it is on, and so on) about unseen kitchens.",
    "readings": "Reading exercises of each sort about unseen kitchens.",
    "chores": "Decisions on single chores in unseen kitchens.",
}
LABELS = {
    "at": "Where is an item?",
    "under": "What is an item on?",
    "on": "What is on a station?",
    "which": "Which are of a kind, or empty?",
    "reading": "How far do stacks follow a list?",
    "reading_again": "Same, the lowest kind again",
    "chore_valid": "Chore: possible action",
    "chore_optimal": "Chore: optimal action",
    "chore_expert": "Chore: the expert's action",
    "chore_thought": "Chore: the expert's every word",
}
PROBE_SEED = 7_000_000
"""Chores of the probes have a seed of their own, which no training uses."""
WANDERING = (0, 2, 5, 9)
"""Random steps before questions are asked, in turn."""
LOWEST_AGAIN = re.compile(r"See (\w+): .* Next [3-9] (?:\w+ )?\1:")
"""A reading whose next slot, upon two filled ones or more, is of the lowest slot's kind."""


def draw_probes(
    sizes: Mapping[str, int], worlds: Mapping[str, Sequence[KitchenWorld]]
) -> Iterator[Probe]:
    """One probe a sort of question, then one a sort of reading, then the chores."""
    for sort, pairs in draw_questions(worlds, sizes["questions"]):
        yield _compare(sort, pairs, lambda reply, answer: reply.partition(".")[0].strip() == answer)
    for sort, pairs in draw_readings(sizes["readings"]).items():
        # What follows a reading does not count.
        yield _compare(sort, pairs, lambda reply, answer: reply.strip().startswith(answer))
    chores = KitchenRehearsal().draw_decisions(PROBE_SEED, sizes["chores"])
    prompts = [chore.prompt for chore in chores]
    yield Probe(prompts, lambda replies: judge_chores(chores, replies))


def _compare(sort: str, pairs: list[tuple[str, str]], fits: Callable[[str, str], bool]) -> Probe:
    """Questions with their answers; ``fits``: whether a reply is as the answer."""
    prompts, answers = [prompt for prompt, _ in pairs], [answer for _, answer in pairs]
    return Probe(prompts, lambda replies: {sort: sum(map(fits, replies, answers))})


def draw_questions(
    worlds: Mapping[str, Sequence[KitchenWorld]], number: int
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """``number`` prompts with answers of each sort of question, which is its first word."""
    rng = random.Random(f"probe {PROBE_SEED}")
    asked: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for own in worlds.values():
        for n, world in enumerate(own):
            kitchen, state = world.kitchen, world.initial
            for _ in range(WANDERING[n % len(WANDERING)]):
                state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
            prompt = build_question(kitchen, state)
            for fact in list_answers(kitchen, state):
                sort, subject, *answer = fact.split()
                if sort != "Robot":
                    asked[sort.lower()].append((f"{prompt}{sort} {subject}", " ".join(answer)))
    for sort, pairs in sorted(asked.items()):
        yield sort, rng.sample(pairs, min(number, len(pairs)))


def draw_readings(number: int) -> dict[str, list[tuple[str, str]]]:
    """The reading exercises: any, and those in which the lowest kind of a stack of two or more is asked for again."""
    rng = random.Random(f"readings {PROBE_SEED}")
    anything = [draw_reading(rng) for _ in range(number)]
    again: list[tuple[str, str]] = []
    while len(again) < number:
        pair = draw_reading(rng)
        if LOWEST_AGAIN.search(pair[1]):
            again.append(pair)
    return {"reading": anything, "reading_again": again}


def judge_chores(chores: Sequence[Decision], replies: Sequence[str]) -> dict[str, int]:
    """How many actions are possible, optimal and the expert's, and how many replies are the expert's altogether."""
    right = dict.fromkeys(("valid", "optimal", "expert", "thought"), 0)
    for chore, reply in zip(chores, replies, strict=True):
        action = read_action(reply)
        right["valid"] += f"\n{action}\n" in chore.prompt
        right["optimal"] += action in chore.optimal_actions
        right["expert"] += action == chore.action
        right["thought"] += reply.strip() == chore.completion
    return {f"chore_{name}": count for name, count in right.items()}
