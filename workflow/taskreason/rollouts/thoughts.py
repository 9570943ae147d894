"""An expert whose reasoning errs: what stands in a thought is wrong now and then, the action is left as it is.

Rejection sampling vouches for an expert's actions, never for its thoughts. Each kind of fault here touches the parts of
a thought one by one, each with the chance ``rate``:

    names     a mention of a thing becomes another thing of the same sort that the prompt names
    missing   a sentence is left out
    foreign   a sentence becomes one that the expert said in another state of the same world

With rate 0.3 and the kind names, "Carry patty1 table3 to table2" may become "Carry patty1 sink1 to table2". Faults are
drawn from the seed, the world and the step alone.
"""

import random
import re
from collections.abc import Callable, Sequence

from taskreason.environments.base import Environment

SENTENCE = re.compile(r"(?<=\.) ")


def make_faulty(
    kind: str,
    rate: float,
    thoughts: Sequence[str],
    prompts: Sequence[str],
    environment: Environment,
    seed: str,
) -> list[str]:
    """The thoughts of one trajectory with faults, in order; prompts: in which they were thought."""
    if not rate:
        return list(thoughts)
    faulty = []
    for t, (thought, prompt) in enumerate(zip(thoughts, prompts, strict=True)):
        rng = random.Random(f"thought {seed} {t}")
        others = [other for n, other in enumerate(thoughts) if n != t]
        faulty.append(FAULTS[kind](thought, rate, rng, prompt, others, environment))
    return faulty


def mistake_names(
    thought: str, rate: float, rng: random.Random, prompt: str, others: list[str], env: Environment
) -> str:
    """Things taken for others of their sort."""
    sorts = env.sort_names(prompt)
    things: dict[str, list[str]] = {}
    for name, sort in sorts.items():
        things.setdefault(sort, []).append(name)
    pattern = "|".join(map(re.escape, sorted(sorts, key=len, reverse=True)))

    def mistake(match: re.Match) -> str:
        name = match[0]
        wrong = [other for other in things[sorts[name]] if other != name]
        return rng.choice(wrong) if rng.random() < rate and wrong else name

    return re.sub(rf"\b(?:{pattern})\b", mistake, thought) if sorts else thought


def leave_out(
    thought: str, rate: float, rng: random.Random, prompt: str, others: list[str], env: Environment
) -> str:
    """Sentences left out; one always stays, since a thought says something."""
    sentences = SENTENCE.split(thought)
    kept = [sentence for sentence in sentences if rng.random() >= rate]
    return " ".join(kept or [rng.choice(sentences)])


def take_foreign(
    thought: str, rate: float, rng: random.Random, prompt: str, others: list[str], env: Environment
) -> str:
    """Sentences of other states in place of this one's."""
    pool = [sentence for other in others for sentence in SENTENCE.split(other)]
    sentences = SENTENCE.split(thought)
    return " ".join(rng.choice(pool) if pool and rng.random() < rate else s for s in sentences)


Fault = Callable[[str, float, random.Random, str, list[str], Environment], str]
FAULTS: dict[str, Fault] = {"names": mistake_names, "missing": leave_out, "foreign": take_foreign}
"""What ``expert.thought_fault`` can be."""
