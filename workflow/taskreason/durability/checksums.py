"""Checksums of what the jobs have made: damage is noticed before it is read, and only what is damaged is made again.

Every job leaves a record, under ``checksums`` where its log lies under ``logs``: SHA-256, size and time of modification
of each of its outputs. A job verifies its inputs by the records of those who made them; ``taskreason check`` verifies
everything. Files without a record (sources, a person's own models) are taken as they are.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json

FOLDER = "checksums"
ASIDE = ".damaged"
NOTE = ".unfinished.json"
"""How the name of the note about a job that has not ended ends; it lies where the job's record will."""
Sums = Mapping[str, Mapping[str, Any]]
"""By path: sha256, bytes and mtime_ns."""


def locate_record(log: Path) -> Path:
    """The record of the job that writes this log."""
    parts = log.parts
    place = len(parts) - 1 - parts[::-1].index("logs")
    return Path(*parts[:place], FOLDER, *parts[place + 1 :]).with_suffix(".json")


def read_records(root: Path) -> Sums:
    """What is known of every file that the jobs under ``root`` have made.

    A folder below it that has been renamed still tells of files in the folder that it was; what another run has made
    there since is told by that folder's own records alone.
    """
    known: dict[str, Mapping[str, Any]] = {}
    for file in list_records(root):
        owner = file.relative_to(root).parts[0]
        for path, sums in read_record(file).items():
            top, *below = Path(path).parts
            foreign = top == root.name and below and owner not in (FOLDER, below[0])
            if not (foreign and (root / below[0] / FOLDER).is_dir()):
                known[path] = sums
    return known


def list_records(root: Path) -> list[Path]:
    """The records of all jobs under ``root``."""
    folders = sorted({*root.glob(FOLDER), *root.glob(f"*/{FOLDER}")})
    return [file for folder in folders for file in sorted(folder.rglob("*.json"))]


def read_record(file: Path) -> Sums:
    """The outputs of one job; none where the record is not there or unreadable, as it is then no proof of anything."""
    return {path: sums for path, sums in _decode_record(file).items() if _is_whole(sums)}


def list_unreadable(root: Path) -> list[Path]:
    """Records that are damaged themselves, so that what their jobs have made can't be verified."""
    records = (file for file in list_records(root) if not file.name.endswith(NOTE))
    return [file for file in records if not all(map(_is_whole, _decode_record(file).values()))]


def write_record(outputs: Iterable[str], file: Path, inputs: Iterable[str], before: Sums) -> None:
    """Note what a job has made, next to what it made at other times that is still there.

    before: its record of an earlier time. A file that has become the same again gets its old time, too, unless an input
    is newer than that, so that nothing which was made from it counts as out of date.
    """
    sums = {path: describe_file(Path(path)) for path in outputs if Path(path).is_file()}
    newest = max((os.stat(path).st_mtime_ns for path in inputs), default=0)
    for path, found in sums.items():
        known = before.get(path, {})
        if known.get("sha256") == found["sha256"] and newest <= known["mtime_ns"]:
            os.utime(path, ns=(known["mtime_ns"],) * 2)
            sums[path] = known
    others = {path: known for path, known in before.items() if Path(path).is_file()}
    write_json(file, others | sums)


def describe_file(path: Path) -> dict[str, Any]:
    """SHA-256, size and time of modification of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    state = path.stat()
    return {"sha256": digest, "bytes": state.st_size, "mtime_ns": state.st_mtime_ns}


def find_damage(path: str, known: Sums) -> str:
    """How a file differs from what its job has written, "" when it does not, is not there or has no record."""
    there = path in known and Path(path).is_file()
    return explain_difference(Path(path), known[path]) if there else ""


def explain_difference(path: Path, wanted: Mapping[str, Any]) -> str:
    """How a file differs from the size and SHA-256 that it should have, "" when it does not."""
    size = path.stat().st_size
    if size != wanted["bytes"]:
        return f"it has {size} bytes instead of {wanted['bytes']}"
    changed = describe_file(path)["sha256"] != wanted["sha256"]
    return "its content has changed" if changed else ""


def verify(paths: Iterable[str], known: Sums) -> None:
    """Raise UserError for the first of the files that is not what its job has written."""
    for path in paths:
        if why := find_damage(path, known):
            raise UserError(
                f"{path}: the file is not what the run has written ({why}); put it aside with "
                "`taskreason check --repair` and start the run again, which makes it anew."
            )


def list_damage(known: Sums) -> dict[str, str]:
    """Every damaged file, and how it differs."""
    return {path: why for path in known if (why := find_damage(path, known))}


def put_aside(path: str) -> Path:
    """Rename a damaged file, so that it is made anew and can still be looked at."""
    aside = Path(path + ASIDE)
    os.replace(path, aside)
    return aside


def _decode_record(file: Path) -> dict[str, Any]:
    try:
        found = decode(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {str(file): None}
    return found if isinstance(found, dict) else {str(file): None}


def _is_whole(sums: Any) -> bool:
    kinds = {"sha256": str, "bytes": int, "mtime_ns": int}.items()
    return isinstance(sums, dict) and all(isinstance(sums.get(key), kind) for key, kind in kinds)
