"""What a training keeps while it runs: its log, and checkpoints, from the newest whole one of which it resumes.

When a checkpoint is complete, the checksums of its files are added, and older checkpoints go. One without checksums was
cut off before that, and one with files that they do not list is not what the training has written. Files that can hold
objects of Python's are read once by torch's restricted reader, which takes plain tensors and runs nothing.
"""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import distributed
from transformers import TrainerCallback
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_pt_utils import safe_globals
from transformers.trainer_utils import get_last_checkpoint

from taskreason.durability.checksums import describe_file, find_damage, read_record
from taskreason.durability.files import write_json
from taskreason.durability.progress import is_due, say

SUMS = "checksums.json"
CURVE = "curve.json"
"""The rows of the training's log, without which its curve would begin at the checkpoint."""
PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".metadata")
"""Ends of the names of files that can hold objects of Python's."""


class RowLog(TrainerCallback):
    """Rows that end as a CSV file; every checkpoint holds those so far, so that they survive a restart.

    file: their name in a checkpoint. header: the columns, where a file without rows is to have them.
    """

    file: str
    header: list[str] | None = None

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, args, state, control, **kwargs):
        """Take up the rows of the run that is being resumed."""
        if state.global_step:
            self.rows = json.loads((name_checkpoint(args, state) / self.file).read_text())

    def on_save(self, args, state, control, **kwargs):
        """Put the rows into the checkpoint that has just been written."""
        if state.is_world_process_zero:
            (name_checkpoint(args, state) / self.file).write_text(json.dumps(self.rows))

    def on_train_end(self, args, state, control, **kwargs):
        """Write the finished log; the file appears whole or not at all."""
        if not state.is_world_process_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        pd.DataFrame(self.rows, columns=self.header).to_csv(temporary, index=False)
        os.replace(temporary, self.path)


class CurveLog(RowLog):
    """Collects what the trainer logs under given columns, with a live line for people.

    columns: CSV column -> key of the trainer's log.
    """

    file = CURVE

    def __init__(self, path: Path, columns: dict[str, str], epochs: float, label: str):
        super().__init__(path)
        self.columns, self.epochs, self.label = columns, epochs, label
        self.started = time.time()
        self.before = 0.0  # seconds of earlier runs
        self.resumed = 0  # rows that an earlier run logged
        self.parts = 0  # passes of the step in progress
        self.told = "the first step takes its time"

    def on_train_begin(self, args, state, control, **kwargs):
        """Take up the rows, and the time that they took."""
        super().on_train_begin(args, state, control)
        self.before = self.rows[-1]["seconds"] if self.rows else 0.0
        self.resumed = len(self.rows)

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Keep one row, and print one line now and then."""
        if not logs or self.columns["loss"] not in logs or not state.is_world_process_zero:
            return
        step, steps = state.global_step, state.max_steps
        seconds = time.time() - self.started
        row = {"step": step, "epoch": self.epochs * step / max(1, steps)}
        row |= {column: logs.get(key) for column, key in self.columns.items()}
        row["seconds"] = round(self.before + seconds, 1)
        self.rows.append(row)
        rate = seconds / max(1, len(self.rows) - self.resumed)
        left = rate * (steps - step) / max(1, args.logging_steps)
        shown = [f"{k} {row[k]:.4g}" for k in ("loss", "reward", "kl") if row.get(k) is not None]
        # The parts of the next step say this again.
        self.told = f"{', '.join(shown)}, {left:.0f} s left"
        if is_due() or step == steps:
            say(f"{self.label}: step {step}/{steps}, {self.told}")

    def on_substep_end(self, args, state, control, **kwargs):
        """Say that a step goes on which takes long; the last part of a step is told by its end."""
        self.parts += 1
        if is_due() and state.is_world_process_zero:
            step = state.global_step + self.parts / args.gradient_accumulation_steps
            say(f"{self.label}: step {step:.1f}/{state.max_steps}, {self.told}")

    def on_step_end(self, args, state, control, **kwargs):
        """Parts are counted anew."""
        self.parts = 0


class CheckpointSums(TrainerCallback):
    """Completes every checkpoint by the checksums of its files; comes after all callbacks that write into it."""

    def on_save(self, args, state, control, **kwargs):
        """Of several processes each writes at its own pace, so the first one waits for the others."""
        if distributed.is_available() and distributed.is_initialized():
            distributed.barrier()
        if not state.is_world_process_zero:
            return
        folder = name_checkpoint(args, state)
        # The trainer's own arguments, as an object of Python's that nobody reads.
        (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        write_json(folder / SUMS, {n: describe_file(folder / n) for n in list_files(folder)})
        for other in folder.parent.glob("checkpoint-*"):
            if other != folder:
                shutil.rmtree(other)


def name_checkpoint(args, state) -> Path:
    """The checkpoint of the trainer's current step, which is the one resumed from where a training begins with it."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def list_files(checkpoint: Path) -> list[str]:
    """The files of a checkpoint, those in folders below among them, without the checksums."""
    files = (path for path in checkpoint.rglob("*") if path.is_file())
    return sorted({path.relative_to(checkpoint).as_posix() for path in files} - {SUMS})


def find_checkpoint(folder: Path, label: str) -> str | None:
    """The newest whole checkpoint, None without one. Damaged ones are named, and removed as they are of no use."""
    while folder.is_dir() and (last := get_last_checkpoint(str(folder))):
        why = explain_damage(Path(last))
        if not why:
            return last
        print(f"{label}: {last} is damaged ({why}) and left out", flush=True)
        shutil.rmtree(last)
    return None


def explain_damage(checkpoint: Path) -> str:
    """What is wrong with a checkpoint, "" for nothing."""
    sums = read_record(checkpoint / SUMS)
    if not sums:
        return f"{SUMS}: it is missing or can't be read, as in a checkpoint that was cut off"
    known = {str(checkpoint / name): described for name, described in sums.items()}
    for name in (*sums, CURVE):
        path = checkpoint / name
        if why := find_damage(str(path), known) if path.is_file() else "it is missing":
            return f"{name}: {why}"
    for name in list_files(checkpoint):
        if name not in sums:
            return f"{name}: the training has not written it"
        if name.endswith(PICKLED) and not holds_tensors(checkpoint / name):
            return f"{name}: it holds something other than plain tensors, which is never read"
    return ""


def holds_tensors(path: Path) -> bool:
    """Whether torch's restricted reader takes a file. What the tensors hold stays on the disk."""
    try:
        with safe_globals():  # random states are arrays of numpy, as the trainer allows
            torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception:  # of many types, for a file may hold anything
        return False
    return True
