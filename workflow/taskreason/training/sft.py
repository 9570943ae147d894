"""Supervised fine-tuning on expert decisions: the reference policy that GRPO starts from.

TRL's SFTTrainer on prompt and completion pairs; the loss is on the reply alone. With augmentation every epoch sees
the decisions under other names, and with rehearsal it sees the environment's lessons among them, so that the base
model's skills are not lost. The paper does neither.
"""

import math
from dataclasses import asdict

from trl import SFTConfig, SFTTrainer

from taskreason.config.models import Config
from taskreason.durability.provenance import write_provenance
from taskreason.policies.prompt import choose_format
from taskreason.rollouts.dataset import load_decisions
from taskreason.training import count_steps
from taskreason.training.curve import CurveLog
from taskreason.training.examples import (
    count_rehearsed,
    encode,
    mix_lessons,
    order_by_length,
    repeat_decisions,
)
from taskreason.training.setup import (
    TrainingFiles,
    common_arguments,
    load_trainee,
    make_adapters,
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
    rows = repeat_decisions(decisions, cfg.sft.epochs, cfg, cfg.seed)
    rows = mix_lessons(rows, cfg, cfg.seed)
    _fit(rows, cfg, files, cfg.sft.epochs, f"SFT {task}")


def train_sft_longer(task: str, cfg: Config, files: TrainingFiles) -> None:
    """Train the SFT policy on for the number of replies that GRPO samples: what more training alone is worth."""
    decisions = load_decisions(files.trajectories, cfg.expert.is_exact)
    pool = len(decisions) + count_rehearsed(len(decisions), cfg.grpo.rehearsal)
    steps = count_steps(cfg.grpo, pool)
    replies = steps * cfg.grpo.prompts_per_step * cfg.grpo.group_size
    epochs = replies * (1 - cfg.sft.rehearsal) / len(decisions)
    # Another seed than SFT's: other names, another order, other lessons.
    seed = cfg.seed + LONGER
    rows = repeat_decisions(decisions, math.ceil(epochs), cfg, seed)
    rows = mix_lessons(rows, cfg, seed)[:replies]
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
        train_dataset=encode(rows, tokenizer, choose_format(cfg)),
        processing_class=tokenizer,
        peft_config=make_adapters(cfg.train),
    )
    curve = CurveLog(files.curve, COLUMNS, epochs, label)
    seconds = train_and_save(
        trainer, tokenizer, files.model, files.checkpoints, curve, read_dtype(files.start)
    )
    if seconds is not None:
        write_provenance(files.provenance, asdict(cfg), cfg.seed, seconds)
