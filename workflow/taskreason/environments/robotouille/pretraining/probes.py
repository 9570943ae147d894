"""What the base model can do before any recipe is taught: looking things up, and single chores.

Questions are asked on the unseen evaluation kitchens of the tasks, some random steps into an episode, in the wording
of the base model's corpus; an answer counts when all of it is right. Readings compare the stacks of a kitchen with a
list of kinds; a harder sort asks for more of the list's lowest kind once the stack holds it, as a sandwich does with
its second bread. Chores are decisions in unseen kitchens whose goals name kinds ("a cooked patty on a bread"), so that
the model must find the items itself. All replies are greedy.
"""

import random
import re
from collections import Counter, defaultdict
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import write_json
from taskreason.environments.robotouille.pretraining.curriculum import draw_rehearsal
from taskreason.environments.robotouille.pretraining.reading_exercises import (
    build_question,
    draw_reading,
    list_answers,
)
from taskreason.policies.generation import Sampling
from taskreason.policies.reply import parse_reply
from taskreason.policies.transformers import TransformersPolicy
from taskreason.rollouts.dataset import load_starts

PROBE_SEED = 7_000_000
"""Chores of the probes have a seed of their own, which no training uses."""
WANDERING = (0, 2, 5, 9)
"""Random steps before questions are asked, in turn."""
LOWEST_AGAIN = re.compile(r"See (\w+): .* Next [3-9] (?:\w+ )?\1:")
"""A reading whose next slot, upon two filled ones or more, is of the lowest slot's kind."""


def probe(cfg: Config, model_dir: Path, kitchens: list[Path], output: Path) -> None:
    """Write how often the model is right: {name of the probe: {"right": count, "asked": count}}."""
    policy = TransformersPolicy.load(
        model_dir, cfg.rollout.batch_size, Sampling(cfg.rollout.max_new_tokens), cfg.prompt
    )
    questions = probe_questions(policy, cfg.tasks, kitchens, cfg.probes.questions)
    readings = probe_readings(policy, cfg.probes.readings)
    write_json(output, questions | readings | probe_chores(policy, cfg.probes.chores))


def probe_questions(
    policy: TransformersPolicy, tasks: tuple[str, ...], kitchens: list[Path], number: int
) -> dict[str, dict[str, int]]:
    """Right answers to so many questions of each sort, the question's first word, about states of kitchens."""
    rng = random.Random(f"probe {PROBE_SEED}")
    asked: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for task, path in zip(tasks, kitchens, strict=True):
        for n, start in enumerate(load_starts(task, path)):
            kitchen, state = start.kitchen, start.kitchen.initial
            for _ in range(WANDERING[n % len(WANDERING)]):
                state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
            prompt = build_question(kitchen, state)
            for fact in list_answers(kitchen, state):
                sort, subject, *answer = fact.split()
                if sort != "Robot":
                    asked[sort].append((f"{prompt}{sort} {subject}", " ".join(answer)))
    counts = {}
    for sort, pairs in sorted(asked.items()):
        chosen = rng.sample(pairs, min(number, len(pairs)))
        replies = policy.complete([prompt for prompt, _ in chosen])
        right = sum(
            reply.partition(".")[0].strip() == answer
            for reply, (_, answer) in zip(replies, chosen, strict=True)
        )
        counts[sort.lower()] = {"right": right, "asked": len(chosen)}
    return counts


def probe_readings(policy: TransformersPolicy, number: int) -> dict[str, dict[str, int]]:
    """Reading exercises, so many of each sort, of which every word is right; what follows does not count."""
    counts = {}
    for sort, pairs in draw_readings(number).items():
        replies = policy.complete([pair["prompt"] for pair in pairs])
        right = sum(
            reply.strip().startswith(pair["completion"])
            for reply, pair in zip(replies, pairs, strict=True)
        )
        counts[sort] = {"right": right, "asked": len(pairs)}
    return counts


def draw_readings(number: int) -> dict[str, list[dict[str, str]]]:
    """The reading exercises: any, and those in which the lowest kind of a stack of two or more is asked for again."""
    rng = random.Random(f"readings {PROBE_SEED}")
    anything = [draw_reading(rng) for _ in range(number)]
    again: list[dict[str, str]] = []
    while len(again) < number:
        exercise = draw_reading(rng)
        if LOWEST_AGAIN.search(exercise["completion"]):
            again.append(exercise)
    return {"reading": anything, "reading_again": again}


def probe_chores(policy: TransformersPolicy, number: int) -> dict[str, dict[str, int]]:
    """Decisions on chores whose action is valid, optimal and the expert's, and thoughts that are the expert's."""
    chores = draw_rehearsal(PROBE_SEED, number)
    right: Counter[str] = Counter()
    for chore, reply in zip(chores, policy.complete([c.prompt for c in chores]), strict=True):
        action = parse_reply(reply).action or ""
        right["valid"] += f"\n{action}\n" in chore.prompt
        right["optimal"] += action in chore.optimal_actions
        right["expert"] += action == chore.action
        right["thought"] += reply.strip() == chore.completion
    return {
        f"chore_{name}": {"right": right[name], "asked": len(chores)}
        for name in ("valid", "optimal", "expert", "thought")
    }
