"""Record a game of `taskreason play` in a terminal of 80 columns: writes docs/play.txt.

    python benchmarks/record_play.py

The game is a real one: the inputs below are typed into the program, one after each of its prompts, and what the
terminal showed, the echo of the typing included, is the recording.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ["play", "--task", "burger"]
INPUTS = "?, bake a cake, m 2, undo, hint, 3, pick, m 1, stack, wait, m 2, p topbun, m 1, m, st"
PROMPT = re.compile(r"(?:^|\n)\d+> $")


def record() -> str:
    """What the terminal shows, from the command to the score."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "taskreason.cli.main", *COMMAND],
        stdin=other,
        stdout=other,
        stderr=other,
        env=os.environ | {"TERM": "dumb", "COLUMNS": "80", "PYTHONPATH": str(ROOT / "workflow")},
    )
    os.close(other)
    shown, waiting = "", INPUTS.split(", ")
    while part := _read(main):
        shown += part
        if PROMPT.search(shown):
            os.write(main, f"{waiting.pop(0) if waiting else 'quit'}\n".encode())
    os.close(main)
    process.wait()
    return f"$ taskreason {' '.join(COMMAND)}\n{shown}"


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode().replace("\r\n", "\n")
    except OSError:  # the program has ended
        return ""


if __name__ == "__main__":
    (ROOT / "docs" / "play.txt").write_text(record())
