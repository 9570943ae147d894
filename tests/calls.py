"""Calls of the `taskreason` command: what goes in and out as JSON lines, and kitchens to call it with."""

import json
import sys

from kitchens import TEMPLATES

COMMAND = [sys.executable, "-m", "taskreason.cli.main"]
BURGER = TEMPLATES["burger"].to_json()
UNREACHABLE = BURGER | {"players": [BURGER["players"][0] | {"direction": [1, 0]}]}
"""The same from where the robot stands before a wall, so that nothing is within its reach."""


def read_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def write_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)
