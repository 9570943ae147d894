"""Supervised fine-tuning on expert decisions: the reference policy that GRPO starts from.

TRL's SFTTrainer on prompt and completion pairs; the loss is on the reply alone. With augmentation every epoch sees
the decisions with other object numbers (:mod:`taskreason.augment`), which the paper does not do.
"""

import random
from pathlib import Path

from trl import SFTConfig, SFTTrainer

from taskreason.augment import draw_renaming, rename
from taskreason.config_types import Config
from taskreason.policies.transformers import load_model
from taskreason.provenance import write_provenance
from taskreason.train.common import CurveLog, encode, machine_arguments, train_and_save
from taskreason.trajectories import Decision, load_decisions

COLUMNS = {
    "loss": "loss",
    "mean_token_accuracy": "mean_token_accuracy",
    "learning_rate": "learning_rate",
}


def train_sft(
    task: str,
    cfg: Config,
    trajectories_path: Path,
    base_dir: Path,
    output_dir: Path,
    checkpoint_dir: Path,
    log_csv: Path,
    provenance_path: Path,
) -> None:
    """Fine-tune the base model on one task's trajectories; resumes from ``checkpoint_dir``."""
    decisions = load_decisions(trajectories_path)
    model, tokenizer = load_model(base_dir)
    rows = repeat_decisions(decisions, cfg.sft.epochs, cfg.sft.augment, cfg.seed)
    steps = -(-len(rows) // cfg.sft.batch_size)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(checkpoint_dir),
            num_train_epochs=1,
            per_device_train_batch_size=cfg.sft.batch_size,
            learning_rate=cfg.sft.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(cfg.sft.warmup_ratio * steps),
            logging_steps=max(1, steps // 200),
            save_steps=cfg.sft.save_steps,
            save_total_limit=1,
            seed=cfg.seed,
            max_length=None,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            train_sampling_strategy="sequential",
            **machine_arguments(),
        ),
        train_dataset=encode(rows, tokenizer),
        processing_class=tokenizer,
    )
    curve = CurveLog(log_csv, COLUMNS, cfg.sft.epochs, f"SFT {task}")
    seconds = train_and_save(trainer, tokenizer, output_dir, checkpoint_dir, curve)
    write_provenance(provenance_path, cfg, seconds)


def repeat_decisions(
    decisions: list[Decision], epochs: int, augment: bool, seed: int
) -> list[dict[str, str]]:
    """The decisions once an epoch, shuffled in each, with other object numbers each time if ``augment``."""
    rng = random.Random(f"epochs {seed}")
    rows = []
    for _ in range(epochs):
        for decision in rng.sample(decisions, len(decisions)):
            renaming = draw_renaming(decision.prompt, rng) if augment else {}
            rows.append(
                {
                    "prompt": rename(decision.prompt, renaming),
                    "completion": rename(decision.completion, renaming),
                }
            )
    return rows
