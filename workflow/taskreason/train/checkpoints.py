"""Checkpoints that can be trusted: a training resumes from the newest one that is whole.

When a checkpoint is complete, the checksums of its files are put beside them. One without them was cut off before that;
it counts as complete where the trainer's state, which is written last, can be read.
"""

import json
import os
import shutil
from pathlib import Path

from transformers import TrainerCallback
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import get_last_checkpoint

from taskreason.checksums import describe_file, find_damage, read_record
from taskreason.files import write_json

SUMS = "checksums.json"
STATE = "trainer_state.json"


class CheckpointSums(TrainerCallback):
    """Writes the checksums of every checkpoint. Several processes write at their own pace, so theirs get none."""

    def on_save(self, args, state, control, **kwargs):
        """Describe the files of the checkpoint that has just been written."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            files = sorted(path for path in folder.iterdir() if path.name != SUMS)
            write_json(folder / SUMS, {path.name: describe_file(path) for path in files})


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
    known = {str(checkpoint / name): sums for name, sums in read_record(checkpoint / SUMS).items()}
    for path in known:
        why = find_damage(path, known) if Path(path).exists() else "it is missing"
        if why:
            return f"{Path(path).name}: {why}"
    try:
        TrainerState.load_from_json(str(checkpoint / STATE))
    except (OSError, TypeError, json.JSONDecodeError, UnicodeDecodeError):
        return f"{STATE} can't be read"
    return ""
