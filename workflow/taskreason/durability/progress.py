"""Lines that tell how far a long stage has come, so that nobody wonders whether it still works.

A line reads ``LABEL: DONE/TOTAL UNIT, details, N s left``. Parts of a stage, such as a rollout and the batches of its
replies, report without knowing of each other: together they print one line every ``SECONDS`` at most.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SECONDS = 10
LONG = 20
"""Seconds after which a small part speaks up, whose lines tell less than those of the whole."""


class _Pace:
    """When this process printed its last line."""

    printed = time.monotonic()


def is_due(after: float = SECONDS) -> bool:
    """Whether the last line of this process is older than ``after`` seconds."""
    return time.monotonic() - _Pace.printed >= after


def say(line: str) -> None:
    """Print a line, due or not; on standard error, since the output of a command is its result."""
    _Pace.printed = time.monotonic()
    print(line, file=sys.stderr, flush=True)


class Progress:
    """One part of a stage: ``total`` of ``unit`` to be done, named ``label``; a line every ``pause`` seconds.

    What is left is told by the pace since the first call, before which there may have been other work.
    """

    def __init__(self, label: str, total: int, unit: str, pause: float = SECONDS):
        self.label, self.total, self.unit, self.pause = label, total, unit, pause
        self.first: tuple[float, float] | None = None

    def show(self, done: float, *details: str) -> None:
        """Print how much is done, where a line is due."""
        now = time.monotonic()
        self.first = self.first or (done, now)
        before, since = self.first
        if not is_due(self.pause):
            return
        parts = [f"{self.label}: {done:g}/{self.total} {self.unit}", *details]
        if done > before:
            left = (now - since) / (done - before) * (self.total - done)
            parts.append(f"{left:.0f} s left")
        say(", ".join(parts))


def follow(items: Iterable[T], label: str, total: int, unit: str) -> Iterator[T]:
    """The items, with a line now and then about how many of them have been worked on."""
    progress = Progress(label, total, unit)
    for done, item in enumerate(items, start=1):
        yield item
        progress.show(done)
