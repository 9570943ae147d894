"""What a line of progress says is left."""

import pytest

from taskreason.durability import progress
from taskreason.durability.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand; every line is due."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress._Pace, "printed", 0.0)
    return now


def test_what_is_left_follows_from_the_pace_since_the_first_call(clock, capsys):
    shown = Progress("a batch", 101, "tokens", pause=0)
    clock[0] = 130.0  # half a minute went into what comes before the first token
    shown.show(1)
    clock[0] = 132.0
    shown.show(21)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "a batch: 1/101 tokens", "one call says nothing about the pace"
    assert second == "a batch: 21/101 tokens, 8 s left", "20 in 2 s, 80 to go"


def test_a_line_waits_until_it_is_due(clock, capsys):
    shown = Progress("burger", 12, "kitchens", pause=10)
    shown.show(1)
    clock[0] += 5
    shown.show(2, "of many")
    assert capsys.readouterr().err == "burger: 1/12 kitchens\n"
    clock[0] += 5
    shown.show(3, "of many")
    assert capsys.readouterr().err == "burger: 3/12 kitchens, of many, 45 s left\n"
