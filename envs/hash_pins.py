"""Write envs/hashed/: the pinned requirements with the SHA-256 of every file that the package index holds of them.

    python envs/hash_pins.py

Needs the network and uv (`envs/bootstrap.sh supply`). The hashes cover all platforms and versions of Python. torch is
left out: which of its builds fits depends on the machine and comes from an index of its own choice.
"""

import subprocess
from pathlib import Path

ENVS = Path(__file__).resolve().parent
HASHED = ENVS / "hashed"
HEADER = "# Written by envs/hash_pins.py; do not edit. Without torch, whose builds differ from machine to machine.\n"
WITHOUT = ("#", "-r ", "torch==")


def hash_pins(requirements: Path) -> str:
    """The file's own pins with their hashes."""
    pins = [line for line in requirements.read_text().splitlines() if not line.startswith(WITHOUT)]
    command = ["uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--no-deps", "--generate-hashes", "--no-annotate", "--no-header"]
    done = subprocess.run(command, input="\n".join(pins), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"hash_pins: {requirements.name}: uv says: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    HASHED.mkdir(exist_ok=True)
    for requirements in sorted(ENVS.glob("requirements*.txt")):
        first = "" if requirements.name == "requirements.txt" else "-r requirements.txt\n"
        (HASHED / requirements.name).write_text(HEADER + first + hash_pins(requirements))


if __name__ == "__main__":
    main()
