"""The log of a training: what the trainer says at every step, as rows of a CSV file and as a live line."""

import os
import time
from pathlib import Path

import pandas as pd
from transformers import TrainerCallback

from taskreason.durability.progress import is_due, say
from taskreason.training.checkpoints import CURVE, keep_rows, take_up_rows


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
