"""What SFT, GRPO and the base model's training share: datasets, arguments for this machine, logs, safe outputs.

Checkpoints lie outside the declared outputs, so an interrupted training resumes from the last one; a finished
model is written beside its folder and moved into place whole.
"""

import os
import random
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from transformers import (
    AutoConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
)

from taskreason.config.models import Config, Prompt, Train
from taskreason.durability.errors import UserError
from taskreason.durability.progress import is_due, say
from taskreason.policies.prompt import PLAIN, check_template, tokenize
from taskreason.policies.transformers import has_fast_bf16, load_model
from taskreason.training.checkpoints import (
    CURVE,
    CheckpointSums,
    find_checkpoint,
    keep_rows,
    take_up_rows,
)


@dataclass(frozen=True)
class TrainingFiles:
    """What one training reads and writes.

    trajectories: the expert's decisions (read). start: folder of the model to start from (read). model: folder of the
    result. checkpoints: folder from which a killed training resumes, gone at the end. curve: CSV log.
    provenance: JSON record.
    """

    trajectories: Path
    start: Path
    model: Path
    checkpoints: Path
    curve: Path
    provenance: Path


def read_dtype(folder: Path) -> torch.dtype:
    """What a model's weights are stored in, which is what they are after training, too."""
    return AutoConfig.from_pretrained(folder, local_files_only=True).dtype or torch.float32


def load_trainee(folder: Path, cfg: Config) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model to be trained, in fp32; with adapters on a GPU in bf16, since its own weights stay as they are."""
    frozen = cfg.train.lora_rank and torch.cuda.is_available()
    model, tokenizer = load_model(folder, torch.bfloat16 if frozen else torch.float32)
    check_template(tokenizer, cfg.prompt, folder)
    return model, tokenizer


def common_arguments(checkpoint_dir: Path, save_steps: int, seed: int, train: Train) -> dict:
    """Arguments that every trainer here takes: checkpoints, seed, no reports, and what this machine is good at.

    On a CPU that is one thread (or OMP_NUM_THREADS) and bf16 autocast where the processor has it.
    """
    arguments = {
        "output_dir": str(checkpoint_dir),
        "save_steps": save_steps,
        "seed": seed,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "gradient_checkpointing": train.gradient_checkpointing,
    }
    if torch.cuda.is_available():
        return arguments | {"bf16": True}
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return arguments | {"use_cpu": True, "bf16": has_fast_bf16()}


def split_batch(key: str, rows: int, micro: int) -> dict[str, int]:
    """Arguments that cut a batch of ``rows`` into passes of at most ``micro`` rows on each of the processes.

    key: of the batch in the configuration, for the message when it can't be cut.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    share, rest = divmod(rows, processes)
    if rest:
        raise UserError(
            f"{key} makes {rows} rows a step, which {processes} processes can't share evenly; "
            "change it or num_processes in the file that train.accelerate names."
        )
    micro = next(size for size in range(min(micro, share), 0, -1) if share % size == 0)
    return {"per_device_train_batch_size": micro, "gradient_accumulation_steps": share // micro}


def make_adapters(train: Train):
    """The low-rank adapters to train (a ``peft.LoraConfig`` on all linear layers), None for every weight."""
    if not train.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=train.lora_rank,
        lora_alpha=train.lora_alpha,
        lora_dropout=train.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def encode(
    rows: Iterable[dict[str, str]], tokenizer: PreTrainedTokenizerBase, prompt: Prompt = PLAIN
) -> Dataset:
    """Prompt and completion pairs as token ids; labels are -100 on the prompt, so only replies are learnt.

    A thought without an action (a reading exercise) has no end token: a model that learns to stop there stops there
    when it should act, too.
    """
    rows = list(rows)
    prompts = tokenize([row["prompt"] for row in rows], tokenizer, prompt)
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


class CurveLog(TrainerCallback):
    """Collects what the trainer logs under given columns, with a live line for people.

    columns: CSV column -> key of the trainer's log. The rows survive a restart: every checkpoint holds those so far.
    """

    def __init__(self, path: Path, columns: dict[str, str], epochs: float, label: str):
        self.path, self.columns, self.epochs, self.label = path, columns, epochs, label
        self.rows: list[dict] = []
        self.started = time.time()
        self.before = 0.0
        self.resumed = 0  # rows that an earlier run logged
        self.parts = 0  # passes of the step in progress
        self.told = "the first step takes its time"

    def on_train_begin(self, args, state, control, **kwargs):
        """Take up the rows of the run that is being resumed."""
        self.rows = take_up_rows(args, state, CURVE)
        self.before = self.rows[-1]["seconds"] if self.rows else 0.0
        self.resumed = len(self.rows)

    def on_save(self, args, state, control, **kwargs):
        """Put the rows into the checkpoint."""
        keep_rows(args, state, CURVE, self.rows)

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Keep one row, and print one line now and then."""
        if not logs or self.columns["loss"] not in logs or not state.is_world_process_zero:
            return
        now = time.time()
        seconds = self.before + now - self.started
        row = {
            "step": state.global_step,
            "epoch": self.epochs * state.global_step / max(1, state.max_steps),
        }
        row |= {column: logs.get(key) for column, key in self.columns.items()}
        row["seconds"] = round(seconds, 1)
        self.rows.append(row)
        rate = (now - self.started) / max(1, len(self.rows) - self.resumed)
        left = rate * (state.max_steps - state.global_step) / max(1, args.logging_steps)
        shown = ", ".join(
            f"{k} {row[k]:.4g}"
            for k in ("loss", "reward", "kl")
            if isinstance(row.get(k), float | int)
        )
        # The parts of the next step say this again.
        self.told = f"{shown}, {left:.0f} s left"
        if is_due() or state.global_step == state.max_steps:
            say(f"{self.label}: step {state.global_step}/{state.max_steps}, {self.told}")

    def on_substep_end(self, args, state, control, **kwargs):
        """Say that a step goes on which takes long; the last part of a step is told by its end."""
        self.parts += 1
        if is_due() and state.is_world_process_zero:
            whole = args.gradient_accumulation_steps
            step = state.global_step + self.parts / whole
            say(f"{self.label}: step {step:.1f}/{state.max_steps}, {self.told}")

    def on_step_end(self, args, state, control, **kwargs):
        """Parts are counted anew."""
        self.parts = 0

    def write(self) -> None:
        """Write the finished curve."""
        write_table(self.path, pd.DataFrame(self.rows))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a log as CSV; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    table.to_csv(temporary, index=False)
    os.replace(temporary, path)


def train_and_save(
    trainer,
    tokenizer,
    output_dir: Path,
    checkpoint_dir: Path,
    curve: CurveLog,
    dtype: torch.dtype = torch.float32,
) -> float | None:
    """Train (resuming where a checkpoint lies), write the model folder whole, and return the wall time in seconds.

    Of several processes the first one writes; the others return None. dtype: of the weights on disk.
    """
    accelerator = trainer.accelerator
    with (
        accelerator.main_process_first()
    ):  # which removes what is damaged; the others find the same
        last = find_checkpoint(checkpoint_dir, curve.label)
    if accelerator.is_main_process and accelerator.num_processes > 1:
        print(f"{curve.label}: {accelerator.num_processes} processes", flush=True)
    if last and accelerator.is_main_process:
        print(f"{curve.label}: resuming from {last}", flush=True)
    trainer.remove_callback(PrinterCallback)  # one line now and then is enough
    trainer.add_callback(curve)
    trainer.add_callback(CheckpointSums)
    trainer.train(resume_from_checkpoint=last)
    # Where the weights are spread over processes, all of these have to take part in collecting them.
    state = (
        accelerator.get_state_dict(trainer.model_wrapped) if accelerator.num_processes > 1 else None
    )
    if not accelerator.is_main_process:
        return None
    seconds = curve.before + time.time() - curve.started
    model = accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):  # adapters; readers of the folder need not know of them
        model, state = model.merge_and_unload(), None
    model.to(dtype)
    if state is not None:
        state = {name: weight.to(dtype) for name, weight in state.items()}
    fresh = output_dir.with_name(f".{output_dir.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    model.save_pretrained(fresh, state_dict=state, max_shard_size="1TB")
    tokenizer.save_pretrained(fresh)
    # The folder may exist already (a workflow makes it for its outputs); files are replaced one by one.
    output_dir.mkdir(parents=True, exist_ok=True)
    for file in fresh.iterdir():
        os.replace(file, output_dir / file.name)
    fresh.rmdir()
    curve.write()
    shutil.rmtree(checkpoint_dir, ignore_errors=True)
    return seconds
