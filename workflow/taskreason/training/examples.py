"""From expert decisions to what a trainer reads: repeated, renamed, mixed with lessons, put in order, encoded.

An example is a prompt with its completion. Everything here is drawn from seeds, so that a training can be made again.
"""

import random
from collections.abc import Iterable
from dataclasses import replace

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from taskreason.config.models import Config
from taskreason.durability.progress import follow
from taskreason.environments.base import Decision, Environment
from taskreason.policies.prompt import PLAIN, PromptFormat


def count_rehearsed(number: int, share: float) -> int:
    """Rehearsed examples to be added to ``number`` of a task so that they make up ``share`` of the whole."""
    return round(number * share / (1 - share))


def draw_rehearsed(cfg: Config, number: int) -> list[Decision]:
    """The decisions that GRPO rehearses with ``number`` of a task."""
    wanted = count_rehearsed(number, cfg.grpo.rehearsal)
    return cfg.env.rehearsal.draw_decisions(cfg.seed, wanted) if wanted else []


def rename_decision(decision: Decision, rng: random.Random, environment: Environment) -> Decision:
    """The same decision under other names, in prompt, reply and actions alike."""
    renaming = environment.draw_renaming(decision.prompt, rng)
    texts = {
        key: environment.rename(getattr(decision, key), renaming)
        for key in ("prompt", "completion", "action")
    }
    accepted = (environment.rename(action, renaming) for action in decision.optimal_actions)
    return replace(decision, **texts, optimal_actions=tuple(accepted))


def repeat_decisions(
    decisions: list[Decision], epochs: int, cfg: Config, seed: int
) -> list[dict[str, str]]:
    """The decisions once an epoch, shuffled in each, under other names each time if ``sft.augment``."""
    rng = random.Random(f"epochs {seed}")
    rows = []
    for _ in follow(range(epochs), "decisions shuffled", epochs, "times"):
        for decision in rng.sample(decisions, len(decisions)):
            renaming = cfg.env.draw_renaming(decision.prompt, rng) if cfg.sft.augment else {}
            rows.append(
                {
                    "prompt": cfg.env.rename(decision.prompt, renaming),
                    "completion": cfg.env.rename(decision.completion, renaming),
                }
            )
    return rows


def mix_lessons(rows: list[dict[str, str]], cfg: Config, seed: int) -> list[dict[str, str]]:
    """The rows in their order, with lessons strewn in at random until these make up ``sft.rehearsal`` of the whole."""
    number = count_rehearsed(len(rows), cfg.sft.rehearsal)
    if not number:
        return rows
    lessons = cfg.env.rehearsal.draw_lessons(seed, number)
    rng = random.Random(f"mix {seed}")
    from_task = [True] * len(rows) + [False] * number
    rng.shuffle(from_task)
    own, others = iter(rows), iter(lessons)
    return [next(own if task else others) for task in from_task]


def encode(
    rows: Iterable[dict[str, str]], tokenizer: PreTrainedTokenizerBase, prompt: PromptFormat = PLAIN
) -> Dataset:
    """Prompt and completion pairs as token ids; labels are -100 on the prompt, so only replies are learnt.

    A thought without an action (a reading exercise) has no end token: a model that learns to stop there stops there
    when it should act, too.
    """
    rows = list(rows)
    prompts = prompt.tokenize([row["prompt"] for row in rows], tokenizer)
    replies = tokenizer([row["completion"] for row in rows], add_special_tokens=False)["input_ids"]
    for row, reply in zip(rows, replies, strict=True):
        thinks, acts = (word in row["completion"] for word in ("Thought: ", "\nAction: "))
        if acts or not thinks:
            reply.append(tokenizer.eos_token_id)
    return Dataset.from_dict(
        {
            "input_ids": [p + c for p, c in zip(prompts, replies, strict=True)],
            "labels": [[-100] * len(p) + c for p, c in zip(prompts, replies, strict=True)],
        }
    )


def order_by_length(rows: list[dict[str, str]], batch_size: int, seed: int) -> list[dict[str, str]]:
    """Batches of like length in random order, so that little is padded and the lengths still mix."""
    rng = random.Random(f"order {seed}")
    span = 32 * batch_size
    ordered = []
    for first in range(0, len(rows), span):
        part = sorted(
            rows[first : first + span], key=lambda row: len(row["prompt"]) + len(row["completion"])
        )
        batches = [part[n : n + batch_size] for n in range(0, len(part), batch_size)]
        rng.shuffle(batches)
        ordered += [row for batch in batches for row in batch]
    return ordered
