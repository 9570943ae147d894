"""Follow README.md to the letter in a fresh clone, by the clock: from nothing to a figure that has moved.

The commands are read from README.md: `make reproduce`, then those of its sections "A reward" and "A task", the latter
at the smoke scale, as they stand there. The clone makes an environment of its own.

    python benchmarks/walkthrough.py [FOLDER]    # where the clone is made; default results/bench/walkthrough

What every command took, and whether the figure has moved, is in results/bench/walkthrough.json, of which `make readme`
makes a table. Called again, it goes on in the same folder with what has not ended well. The exit status is 1 where a
command fails or the figure is as it was.
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

from taskreason.durability.provenance import describe_hardware, name_machine
from taskreason.report.render.tables import format_rows

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "walkthrough.json"
FIGURE = Path("results/figures/learning_grpo.png")
CURVES = "results/laptop/training/*/grpo.csv"


def main() -> int:
    """Walk through the parts in order; 1 where something does not go as the page says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT / "results/bench/walkthrough", help="a clone"
    )
    folder = parser.parse_args().folder.resolve()
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    parts = list_parts((folder / "README.md").read_text())
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    found.setdefault("latex", bool(shutil.which("latexmk")))
    for part, commands in parts.items():
        if part in found and not any(step["status"] for step in found[part]["steps"]):
            continue
        before = read_rewards(folder)
        steps = follow(folder, commands)
        found[part] = {"steps": steps, "reward": [before, read_rewards(folder)]}
        found["hardware"] = describe_hardware()
        FOUND.parent.mkdir(parents=True, exist_ok=True)
        FOUND.write_text(json.dumps(found, indent=2) + "\n")
        if any(step["status"] for step in steps):
            return 1
    moved = (folder / "before.png").read_bytes() != (folder / FIGURE).read_bytes()
    return 0 if moved else 1


def list_parts(text: str) -> dict[str, list[str]]:
    """The commands that a reader of the page types, by part."""
    return {
        "reproduce": read_section(text, "## Two commands")[:1],
        "reward": read_section(text, "### A reward"),
        "task": [". .venv/bin/activate", *read_section(text, "### A task")],
    }


def read_section(text: str, heading: str) -> list[str]:
    """The commands of a section, comments left out."""
    _, found, section = text.partition(f"\n{heading}\n")
    if not found:
        sys.exit(f"README.md: has no section '{heading}'; name it in benchmarks/walkthrough.py.")
    return read_commands(re.split(r"\n#+ (?=[A-Z])", section)[0])


def read_commands(text: str) -> list[str]:
    """The lines of a page's blocks of shell, comments left out."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"(^|\s+)# .*", "", line).strip() for line in "".join(blocks).splitlines()]
    return [line for line in lines if line]


def follow(folder: Path, commands: list[str]) -> list[dict]:
    """Type the commands into one shell, as a reader does: what each took and its exit status."""
    log = folder / "walkthrough.tsv"
    log.unlink(missing_ok=True)
    typed = "\n".join(
        f'SECONDS=0\n{command}\nprintf "%s\\t%s\\n" $? $SECONDS >> walkthrough.tsv'
        for command in commands
    )
    # A reader's shell has nothing of the environment that runs this.
    own = ("PYTHONPATH", "VIRTUAL_ENV", "OMP_NUM_THREADS")
    environment = {key: value for key, value in os.environ.items() if key not in own}
    start = time.monotonic()
    command = ["bash", "-c", typed]
    subprocess.run(command, stdin=subprocess.DEVNULL, cwd=folder, env=environment, check=False)
    print(f"{len(commands)} commands, {(time.monotonic() - start) / 60:.1f} min", flush=True)
    told = [line.split("\t") for line in log.read_text().splitlines()]
    return [
        {"command": command, "status": int(status), "seconds": int(seconds)}
        for command, (status, seconds) in zip(commands, told, strict=True)
    ]


def read_rewards(folder: Path) -> float | None:
    """Mean reward of all steps of GRPO and all tasks, what the figure's first panel shows."""
    rewards = [
        float(row["reward"])
        for file in sorted(folder.glob(CURVES))
        for row in csv.DictReader(file.open())
    ]
    return round(mean(rewards), 4) if rewards else None


def make_table() -> str | None:
    """What every command took, for docs/performance.md."""
    if not FOUND.exists():
        return None
    found = json.loads(FOUND.read_text())
    steps = [step for part in ("reproduce", "reward", "task") for step in found[part]["steps"]]
    body = [[f"`{step['command']}`", f"{step['seconds'] / 60:.1f}"] for step in steps]
    body.append(["all", f"{sum(step['seconds'] for step in steps) / 60:.1f}"])
    before, after = found["reward"]["reward"]
    hardware = found["hardware"]
    return (
        f"{format_rows(['Command', 'Minutes'], body)}\n\n"
        f"On {name_machine(hardware)}, {hardware['cores']} cores, in a fresh clone. Its environment is included, LaTeX "
        f"{'was there before' if found['latex'] else 'too'}. The mean reward of all steps of GRPO went from "
        f"{before:.3f} to {after:.3f}. Made by `benchmarks/walkthrough.py`."
    )


if __name__ == "__main__":
    sys.exit(main())
