"""What the base model learns before any task: to read prompts, to write thoughts, and towers of one or two discs.

Each name and recurring phrase is one token, which a small model compares easily; single bytes spell anything else.
"""

import random
from collections.abc import Iterator, Mapping

from taskreason.environments.base import Pretraining, list_plan
from taskreason.environments.hanoi.towers import DISCS, PEGS, Recursion, draw_towers, explain

PAD, END = "<pad>", "<end>"
PHRASES = (
    *("Pegs:\n", "Discs:\n", "Valid actions:\n", "Goal:", " all discs on", "\n", "-", ",", "."),
    *("Move", " from", " to", " on", " empty", "Thought:", " belongs on", ", is on"),
    *(": move", ", the smaller", ": still", ": stays", "\nAction: Move"),
)
"""Pieces of prompts and replies; names come with the space before them."""


class SmallTowers(Pretraining):
    """The material of ``base.curriculum``."""

    sizes = {
        "readings": "Thoughts about up to five discs that all have goals of their own.",
        "decisions": "Decisions of the teacher in towers of one or two discs.",
    }

    def build_tokenizer(self):
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        pieces = [PAD, END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
        tokenizer = Tokenizer(models.BPE({piece: n for n, piece in enumerate(pieces)}, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        words = [*PHRASES, *(f" {name}" for name in (*PEGS, *DISCS))]
        tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END)

    def bound_decisions(self, sizes: Mapping[str, int]) -> int:
        return sizes["decisions"]

    def draw_examples(self, seed: int, sizes: Mapping[str, int], processes: int) -> Iterator[dict]:
        rng = random.Random(f"small towers {seed}")
        draws = [draw_reading] * sizes["readings"] + [draw_decision] * sizes["decisions"]
        rng.shuffle(draws)
        return (draw(rng) for draw in draws)


def draw_reading(rng: random.Random) -> dict[str, str]:
    """A goal that names a random peg for each disc, and the thought about it, without an action."""
    world = draw_towers(rng.randint(1, 5), rng)
    moves = [(disc, start, rng.randrange(3)) for disc, start in enumerate(world.initial)]
    goals = [f"{world.discs[disc]} to {world.pegs[end]}" for disc, _, end in moves]
    rng.shuffle(goals)
    prompt = world.observe(world.initial).rpartition("Goal:")[0] + f"Goal: {', '.join(goals)}\n"
    return {"prompt": prompt, "completion": f"Thought: {explain(world, moves)}"}


def draw_decision(rng: random.Random) -> dict[str, str]:
    """A decision on the way to the goal; of two discs, where there is more to learn, four times out of five."""
    world = draw_towers(rng.choice((1, 2, 2, 2, 2)), rng)
    teacher = Recursion(world)
    state, _ = rng.choice(list_plan(world, teacher))
    return {"prompt": world.observe(state), "completion": teacher.reply(state)}
