"""Typed access to the JSON of a layout: what is there is of the right type, or a sentence says so.

Input: decoded JSON and the name of its source. Output: checked integers, strings, arrays and nested
objects. Every refusal is a LayoutError that names the source file, the key and what it must be.
"""

from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError, clip, quote
from taskreason.durability.files import decode


class LayoutError(UserError):
    """A layout that is malformed or whose goal its objects can never satisfy."""


class Reader:
    """Typed access to one JSON object; every refusal names the source file and the key."""

    def __init__(self, data: Any, source: str, key: str):
        self.source, self.key = source, key
        if not isinstance(data, dict):
            raise LayoutError(f"{source}: {key or 'the layout'} must be a JSON object.")
        self.data = data

    def fail(self, key: str, message: str) -> LayoutError:
        return LayoutError(f"{self.source}: {clip(self.path(key))} {message}.")

    def path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key

    def refuse_other_keys(self, known: tuple[str, ...]) -> None:
        for key in self.data:
            if key not in known:
                raise self.fail(key, f"is not a known key, use only {', '.join(known)}")

    def check_choice(self, key: str, value: Any, choices: tuple[str, ...]) -> None:
        if value not in choices:
            raise self.fail(key, f"is {quote(value)} but must be one of {', '.join(choices)}")

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.required(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            wanted = f"a whole number from {low} to {high}"
            raise self.fail(key, f"is {quote(value)} but must be {wanted}")
        return value

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        value = self.required(key)
        if not isinstance(value, str):
            raise self.fail(key, f"is {quote(value)} but must be a string")
        if choices:
            self.check_choice(key, value, choices)
        return value

    def array(self, key: str, optional: bool = False) -> list:
        value = self.data.get(key) if optional else self.required(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, "must be a JSON array")
        return value

    def objects(self, key: str, optional: bool = False) -> "list[Reader]":
        rows = enumerate(self.array(key, optional))
        return [Reader(row, self.source, self.path(f"{key}[{i}]")) for i, row in rows]

    def required(self, key: str) -> Any:
        if key not in self.data:
            raise self.fail(key, "is missing")
        return self.data[key]


def read_text(path: str | Path, name: str) -> str:
    """A whole file; `name` is what its refusal calls it."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise LayoutError(f"{path}: the {name} cannot be read ({reason}).") from None


def parse_json(text: str, source: str) -> Any:
    """JSON as plain values; refuses with one sentence; `source` is the file (and line) it names."""
    try:
        return decode(text)
    except ValueError as error:
        raise LayoutError(f"{source}: this is not valid JSON ({error}).") from None
