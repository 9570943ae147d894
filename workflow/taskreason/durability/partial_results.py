"""What a killed job has done so far: the same job goes on from it, one with other settings or inputs never does.

Checkpoints and partial files lie outside the declared outputs, so Snakemake neither wipes nor checks them. A note with
a checksum of the job's parameters and inputs says what they belong to. In a file of :class:`PartialResults` every line
is the SHA-256 of its JSON, a space and the JSON, so that damage costs the damaged pieces alone.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskreason.durability.checksums import Sums, describe_file
from taskreason.durability.files import decode, write_json, write_whole
from taskreason.durability.progress import say


class PartialResults:
    """The pieces in a file, and a way to add to them.

    settings: what the pieces depend on, as text; those of other settings do not count.
    """

    def __init__(self, path: Path, settings: str = ""):
        self.path, self.settings = path, settings

    def read(self) -> list[Any]:
        """The values of all whole lines, in their order; nothing where there is no file."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for number, line in enumerate(lines, start=1):
            digest, _, text = line.partition(b" ")
            if digest.decode("ascii", "replace") == self._digest(text):
                found.append(decode(text))
            elif line:
                say(
                    f"{self.path}:{number}: damaged, torn or of other settings; what it held is made anew"
                )
        return found

    def begin(self, values: Iterable[Any]) -> None:
        """Start with these pieces; the file holds what it held before, or them."""
        write_whole(self.path, map(self._to_line, values))

    def add(self, *values: Any) -> None:
        """Add pieces at the end, which are in the file when this returns."""
        with self.path.open("ab") as file:
            file.write(b"".join(map(self._to_line, values)))

    def remove(self) -> None:
        """Everything is done and written elsewhere."""
        self.path.unlink()

    def _to_line(self, value: Any) -> bytes:
        text = json.dumps(value).encode()
        return f"{self._digest(text)} ".encode() + text + b"\n"

    def _digest(self, text: bytes) -> str:
        return hashlib.sha256(self.settings.encode() + b"\n" + text).hexdigest()


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
    try:
        earlier = decode(note.read_bytes())["work"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = None
    left = [Path(f"{path}.partial") for path in outputs] + ([checkpoints] if checkpoints else [])
    removed = [path for path in left if path.exists() and earlier != work]
    for path in removed:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(note, {"work": work})
    return removed
