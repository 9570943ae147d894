"""What a job has done so far, a line a piece: a killed job goes on from it, and damage costs the damaged pieces alone.

Every line is the SHA-256 of its JSON, a space and the JSON. A line that is torn, changed or of other settings is left
out, which is said, and what it held is done again.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from taskreason.durability.files import decode
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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_bytes(b"".join(map(self._to_line, values)))
        os.replace(temporary, self.path)

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
