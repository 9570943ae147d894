"""Unfinished work of a killed job: taken up by the same job again, never by one with other settings or inputs.

Checkpoints and partial files lie outside the declared outputs, so Snakemake neither wipes nor checks them. A note with
the job's checksums says what they belong to: the job's parameters and the content of its inputs.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskreason.durability.checksums import Sums, describe_file
from taskreason.durability.files import decode, write_json

PARTIAL = ".partial"


def describe_work(params: Mapping[str, Any], inputs: Iterable[str], known: Sums) -> str:
    """What a job is about, as one SHA-256; known: checksums of inputs that need not be read for it."""
    sums = {
        path: (known.get(path) or describe_file(Path(path)))["sha256"]
        for path in inputs
        if Path(path).is_file()
    }
    text = json.dumps([dict(params), sums], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def take_up(note: Path, work: str, outputs: Iterable[str], checkpoints: Path | None) -> list[Path]:
    """Keep what an earlier attempt at the same work has left, remove what is of any other; returns what was removed."""
    removed = [] if _read_note(note) == work else _list_unfinished(outputs, checkpoints)
    for path in removed:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(note, {"work": work})
    return removed


def _read_note(note: Path) -> str | None:
    try:
        return decode(note.read_bytes())["work"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _list_unfinished(outputs: Iterable[str], checkpoints: Path | None) -> list[Path]:
    partial = [Path(path + PARTIAL) for path in outputs]
    folders = [checkpoints] if checkpoints else []
    return [path for path in [*partial, *folders] if path.exists()]
