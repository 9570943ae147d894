"""Supervised fine-tuning on expert decisions: the reference policy that GRPO starts from.

TRL's SFTTrainer on prompt and completion pairs; the loss is on the reply alone. With augmentation every epoch sees
the decisions with other object numbers (`renaming`), and with rehearsal it sees generic chores beside
them (`pretraining.curriculum`), so that the base model's skills are not lost. The paper does neither.
"""

import math
import random

from trl import SFTConfig, SFTTrainer

from taskreason.config.models import Config
from taskreason.durability.progress import follow
from taskreason.durability.provenance import write_provenance
from taskreason.environments.robotouille.pretraining.curriculum import count_chores, draw_lessons
from taskreason.environments.robotouille.renaming import draw_renaming, rename
from taskreason.rollouts.dataset import Decision, load_decisions
from taskreason.training import count_steps
from taskreason.training.setup import (
    CurveLog,
    TrainingFiles,
    common_arguments,
    encode,
    load_trainee,
    make_adapters,
    order_by_length,
    read_dtype,
    split_batch,
    train_and_save,
)

COLUMNS = {
    "loss": "loss",
    "mean_token_accuracy": "mean_token_accuracy",
    "learning_rate": "learning_rate",
}

LONGER = 1_000_000
"""What the seed of longer SFT adds to the training's seed."""


def train_sft(task: str, cfg: Config, files: TrainingFiles) -> None:
    """Fine-tune the base model on one task's trajectories; resumes from the checkpoints."""
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    rows = repeat_decisions(decisions, cfg.sft.epochs, cfg.sft.augment, cfg.seed)
    rows = mix_chores(rows, cfg.sft.rehearsal, cfg.seed)
    _fit(rows, cfg, files, cfg.sft.epochs, f"SFT {task}")


def train_sft_longer(task: str, cfg: Config, files: TrainingFiles) -> None:
    """Train the SFT policy on for as many replies as GRPO would: what more training alone is worth."""
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    pool = len(decisions) + count_chores(len(decisions), cfg.grpo.rehearsal)
    steps = count_steps(cfg.grpo, pool)
    replies = steps * cfg.grpo.prompts_per_step * cfg.grpo.group_size
    epochs = replies * (1 - cfg.sft.rehearsal) / len(decisions)
    # Another seed than SFT's: other names, another order, other chores.
    seed = cfg.seed + LONGER
    rows = repeat_decisions(decisions, math.ceil(epochs), cfg.sft.augment, seed)
    rows = mix_chores(rows, cfg.sft.rehearsal, seed)[:replies]
    _fit(rows, cfg, files, epochs, f"longer SFT {task}")


def _fit(
    rows: list[dict[str, str]], cfg: Config, files: TrainingFiles, epochs: float, label: str
) -> None:
    """Train a model on rows once, about in their order; they are ``epochs`` passes over the decisions."""
    model, tokenizer = load_trainee(files.start, cfg)
    rows = order_by_length(rows, cfg.sft.batch_size, cfg.seed)
    steps = -(-len(rows) // cfg.sft.batch_size)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            num_train_epochs=1,
            learning_rate=cfg.sft.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(cfg.sft.warmup_ratio * steps),
            logging_steps=max(1, steps // 200),
            max_length=None,
            train_sampling_strategy="sequential",
            **split_batch(
                "sft.batch_size", cfg.sft.batch_size, cfg.sft.micro_batch or cfg.sft.batch_size
            ),
            **common_arguments(files.checkpoints, cfg.sft.save_steps, cfg.seed, cfg.train),
        ),
        train_dataset=encode(rows, tokenizer, cfg.prompt),
        processing_class=tokenizer,
        peft_config=make_adapters(cfg.train),
    )
    curve = CurveLog(files.curve, COLUMNS, epochs, label)
    seconds = train_and_save(
        trainer, tokenizer, files.model, files.checkpoints, curve, read_dtype(files.start)
    )
    if seconds is not None:
        write_provenance(files.provenance, cfg, seconds)


def repeat_decisions(
    decisions: list[Decision], epochs: int, augment: bool, seed: int
) -> list[dict[str, str]]:
    """The decisions once an epoch, shuffled in each, with other object numbers each time if ``augment``."""
    rng = random.Random(f"epochs {seed}")
    rows = []
    for _ in follow(range(epochs), "decisions shuffled", epochs, "times"):
        for decision in rng.sample(decisions, len(decisions)):
            renaming = draw_renaming(decision.prompt, rng) if augment else {}
            rows.append(
                {
                    "prompt": rename(decision.prompt, renaming),
                    "completion": rename(decision.completion, renaming),
                }
            )
    return rows


def mix_chores(rows: list[dict[str, str]], share: float, seed: int) -> list[dict[str, str]]:
    """The rows, in their order, with chores strewn in at random until these make up ``share`` of the whole."""
    number = count_chores(len(rows), share)
    if not number:
        return rows
    chores = draw_lessons(seed, number)
    rng = random.Random(f"mix {seed}")
    from_task = [True] * len(rows) + [False] * number
    rng.shuffle(from_task)
    task_rows, chore_rows = iter(rows), iter(chores)
    return [next(task_rows if task else chore_rows) for task in from_task]
