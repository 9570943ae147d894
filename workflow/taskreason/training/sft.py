"""Supervised fine-tuning on expert decisions: the reference policy that GRPO starts from.

TRL's SFTTrainer on examples, which are prompts with their completions; the loss is on the reply alone. With
augmentation every epoch sees the decisions under other names, and with rehearsal it sees the environment's lessons
among them, so that the base model's skills are not lost. The paper does neither. Everything is drawn from seeds, so
that a training can be made again.
"""

import math
import random
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from taskreason.config.models import Config
from taskreason.durability.progress import follow
from taskreason.environments.base import Decision
from taskreason.policies.fused import is_supported
from taskreason.policies.prompt import PLAIN, PromptFormat, choose_format
from taskreason.rollouts.dataset import load_decisions
from taskreason.training import setup
from taskreason.training.checkpoints import CurveLog
from taskreason.training.focus import draw_focused, find_missed
from taskreason.training.rehearsal import LONGER, count_rehearsed, count_replies, take_decisions
from taskreason.training.scoring import choose_products, read_prompts_once

Rows = list[dict[str, str]]
"""Examples: each a prompt with its completion."""
COLUMNS = {name: name for name in ("loss", "mean_token_accuracy", "learning_rate")}


def train_sft(task: str, cfg: Config, files: setup.TrainingFiles) -> None:
    """Fine-tune the base model on one task's trajectories; resumes from the checkpoints."""
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    rows = repeat_decisions(decisions, cfg.sft.epochs, cfg, cfg.seed)
    rows = mix_lessons(rows, cfg, cfg.seed, files.rehearsal)
    _fit(rows, cfg, files, cfg.sft.epochs, f"SFT {task}")


def train_sft_longer(task: str, cfg: Config, files: setup.TrainingFiles, tokens: int = 0) -> None:
    """Train a policy on for the number of replies that GRPO samples: what more training alone is worth.

    tokens: train on as many replies as have about this number of tokens; 0: as GRPO's steps or epochs say.
    """
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    model, tokenizer = setup.load_trainee(files.start, cfg)
    replies = (
        convert_tokens(decisions, tokens, tokenizer)
        if tokens
        else count_replies(cfg, len(decisions))
    )
    own = replies - round(replies * cfg.sft.rehearsal)
    # Another seed than SFT's: other names, another order, other lessons.
    seed = cfg.seed + LONGER
    rng = random.Random(f"longer {seed}")
    missed = find_missed(decisions, model, tokenizer, cfg)
    drawn = draw_focused(decisions, missed, own, cfg.grpo.focus, rng)
    rows = mix_lessons([_rename(d, cfg, rng) for d in drawn], cfg, seed, files.rehearsal)
    epochs = own / len(decisions)
    _fit(rows, cfg, files, epochs, f"longer SFT {task}")


def _fit(rows: Rows, cfg: Config, files: setup.TrainingFiles, epochs: float, label: str) -> None:
    """Train a model on rows once, about in their order; they are ``epochs`` passes over the decisions."""
    model, tokenizer = setup.load_trainee(files.start, cfg)
    sft, size = cfg.sft, cfg.sft.batch_size
    lengths = setup.count_tokens([row["completion"] for row in rows], tokenizer)
    setup.tell_cut_replies(lengths, cfg, label)
    rows = order_by_length(rows, size, cfg.seed)
    steps = -(-len(rows) // size)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            num_train_epochs=1,
            learning_rate=sft.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(sft.warmup_ratio * steps),
            logging_steps=max(1, steps // 200),
            max_length=None,
            train_sampling_strategy="sequential",
            **setup.split_batch("sft.batch_size", size, sft.micro_batch or size),
            **setup.common_arguments(files.checkpoints, sft.save_steps, cfg.seed, cfg.train),
        ),
        train_dataset=encode(rows, tokenizer, choose_format(cfg)),
        processing_class=tokenizer,
        peft_config=setup.make_adapters(cfg.train),
    )
    if is_supported(trainer.model):
        read_prompts_once(trainer.model, choose_products(trainer.args))
    setup.train_policy(trainer, cfg, files, CurveLog(files.curve, COLUMNS, epochs, label))


def convert_tokens(
    decisions: list[Decision], tokens: int, tokenizer: PreTrainedTokenizerBase
) -> int:
    """Replies that have ``tokens`` tokens, when drawn from those of the decisions, each with the one that ends it."""
    lengths = setup.count_tokens([d.completion for d in decisions], tokenizer)
    return math.ceil(tokens * len(lengths) / sum(lengths))


def repeat_decisions(decisions: list[Decision], epochs: int, cfg: Config, seed: int) -> Rows:
    """The decisions once an epoch, shuffled in each, under other names each time if ``sft.augment``."""
    rng = random.Random(f"epochs {seed}")
    rows = []
    for _ in follow(range(epochs), "decisions shuffled", epochs, "times"):
        rows += [_rename(d, cfg, rng) for d in rng.sample(decisions, len(decisions))]
    return rows


def _rename(decision: Decision, cfg: Config, rng: random.Random) -> dict[str, str]:
    """An example of a decision, under other names if ``sft.augment``."""
    renaming = cfg.env.draw_renaming(decision.prompt, rng) if cfg.sft.augment else {}
    texts = {"prompt": decision.prompt, "completion": decision.completion}
    return {key: cfg.env.rename(text, renaming) for key, text in texts.items()}


def mix_lessons(rows: Rows, cfg: Config, seed: int, file: Path | None = None) -> Rows:
    """The rows in their order, with lessons strewn in at random until these make up ``sft.rehearsal`` of the whole.

    file: decisions of the seed that are drawn already.
    """
    number = count_rehearsed(len(rows), cfg.sft.rehearsal)
    if not number:
        return rows
    rehearsal = cfg.env.rehearsal
    drawn = take_decisions(cfg, seed, rehearsal.count_decisions(number), file)
    own, lessons = iter(rows), iter(rehearsal.draw_lessons(seed, number, drawn))
    from_task = [True] * len(rows) + [False] * number
    random.Random(f"mix {seed}").shuffle(from_task)
    return [next(own if task else lessons) for task in from_task]


def encode(rows: Rows, tokenizer: PreTrainedTokenizerBase, prompt: PromptFormat = PLAIN) -> Dataset:
    """Prompt and completion pairs as token ids; labels are -100 on the prompt, so only replies are learnt.

    A thought without an action (a reading exercise) has no end token: a model that learns to stop there stops there
    when it should act, too.
    """
    prompts = prompt.tokenize([row["prompt"] for row in rows], tokenizer)
    replies = tokenizer([row["completion"] for row in rows], add_special_tokens=False)["input_ids"]
    for row, reply in zip(rows, replies, strict=True):
        thinks, acts = (word in row["completion"] for word in ("Thought: ", "\nAction: "))
        if acts or not thinks:
            reply.append(tokenizer.eos_token_id)
    pairs = list(zip(prompts, replies, strict=True))
    labels = [[-100] * len(p) + c for p, c in pairs]
    return Dataset.from_dict({"input_ids": [p + c for p, c in pairs], "labels": labels})


def order_by_length(rows: Rows, batch_size: int, seed: int) -> Rows:
    """Batches of like length in random order, so that little is padded and the lengths still mix."""
    rng = random.Random(f"order {seed}")
    span = 32 * batch_size
    ordered = []

    def measure(row: dict[str, str]) -> int:
        return len(row["prompt"]) + len(row["completion"])

    for first in range(0, len(rows), span):
        part = sorted(rows[first : first + span], key=measure)
        batches = [part[n : n + batch_size] for n in range(0, len(part), batch_size)]
        rng.shuffle(batches)
        ordered += [row for batch in batches for row in batch]
    return ordered
