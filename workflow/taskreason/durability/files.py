"""JSON on disk: written atomically, read with errors that name the file, the line and the fix."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.writelines(parts)
    os.replace(temporary, path)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line, whole or not at all."""
    write_whole(path, (json.dumps(row).encode() + b"\n" for row in rows))


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, whole or not at all."""
    write_whole(path, [json.dumps(value, indent=2).encode() + b"\n"])


def decode(text: str | bytes) -> Any:
    """JSON as plain values. ValueError for everything else, nesting too deep to be read among it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def read_lines(path: Path, keys: Iterable[str], made_by: str) -> list[dict[str, Any]]:
    """Read JSON lines whose objects have at least ``keys``; ``made_by`` is the target that makes the file again."""
    fix = f"delete the file and run `snakemake {made_by}` to make it again"
    try:
        text = path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the file can't be read ({error}); {fix}.") from None
    rows = []
    # Lines end at "\n" alone: the ends that other systems have may stand in a text.
    for number, line in enumerate(text.split("\n") if text else [], start=1):
        try:
            row = decode(line)
        except ValueError:
            raise UserError(f"{path}:{number}: the line is not JSON; {fix}.") from None
        missing = [key for key in keys if not isinstance(row, dict) or key not in row]
        if missing:
            raise UserError(f"{path}:{number}: key {missing[0]!r} is missing; {fix}.")
        rows.append(row)
    if not rows:
        raise UserError(f"{path}: the file holds no lines; {fix}.")
    return rows


def list_runs(seeds: Sequence[int]) -> list[str]:
    """What follows the task in the folder name of each seed's training: nothing for the first seed."""
    return ["", *(f".seed{seed}" for seed in seeds[1:])]
