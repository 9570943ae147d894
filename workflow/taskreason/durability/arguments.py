"""Numbers on a command line: each function is a ``type`` of argparse, which says what is wrong with another text."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise ArgumentTypeError(f"{text} is not a positive number")
    return value


def natural(text: str) -> int:
    """A whole number from 0 on."""
    value = int(text)
    if value < 0:
        raise ArgumentTypeError(f"{text} is negative")
    return value


def seconds(text: str) -> float:
    """More than no time."""
    value = float(text)
    if not value > 0:
        raise ArgumentTypeError(f"{text} is not a positive number")
    return value


def temperature(text: str) -> float:
    """Of sampling; 0 is greedy."""
    value = float(text)
    if not 0 <= value <= 10:
        raise ArgumentTypeError(f"{text} is not between 0 and 10")
    return value
