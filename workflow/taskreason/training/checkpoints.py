"""Checkpoints that can be trusted: a training resumes from the newest one that is whole.

When a checkpoint is complete, with what the training has logged so far, the checksums of its files are added,
and older checkpoints go. One without checksums was cut off before that, and one with files that they do not list is not
what the training has written. Files that can hold objects of Python's are read once by torch's restricted reader, which
takes plain tensors and runs nothing.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_pt_utils import safe_globals
from transformers.trainer_utils import get_last_checkpoint

from taskreason.durability.checksums import describe_file, find_damage, read_record
from taskreason.durability.files import write_json

SUMS = "checksums.json"
CURVE = "curve.json"
"""The rows of the training's log, without which its curve would begin at the checkpoint."""
PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".metadata")
"""Ends of the names of files that can hold objects of Python's."""


class CheckpointSums(TrainerCallback):
    """Completes every checkpoint by the checksums of its files, and removes the older ones.

    It comes after all callbacks that write into the checkpoint.
    """

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


def keep_rows(args, state, name: str, rows: list[dict[str, Any]]) -> None:
    """Put what has been logged into the checkpoint that has just been written."""
    if state.is_world_process_zero:
        (name_checkpoint(args, state) / name).write_text(json.dumps(rows))


def take_up_rows(args, state, name: str) -> list[dict[str, Any]]:
    """What had been logged when the checkpoint was written from which the training goes on; nothing at its start."""
    if not state.global_step:
        return []
    return json.loads((name_checkpoint(args, state) / name).read_text())


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
