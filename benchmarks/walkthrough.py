"""Follow README.md to the letter in a fresh clone, by the clock: from nothing to a figure that has moved.

The commands are read from README.md: `make reproduce`, then those of "Change the reward and see a figure move", then
those of "A task of your own", of which the run in earnest is left out. The clone makes an environment of its own.

    python benchmarks/walkthrough.py [FOLDER]    # where the clone is made; default results/bench/walkthrough

What every command took, and whether the figure has moved, is in results/bench/walkthrough.json, which `make readme`
shows. Called again, it goes on in the same folder with what has not ended well. The exit status is 1 where a command
fails or the figure is as it was.
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

from taskreason.durability.provenance import describe_hardware
from taskreason.report.render.markdown import format_rows

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
    text = (folder / "README.md").read_text()
    parts = {
        "reproduce": read_blocks(text, "## Two commands", "sh")[0][:1],
        "reward": read_blocks(text, "### Change the reward and see a figure move", "sh")[0],
        "task": list_own_task(text),
    }
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


def read_blocks(text: str, heading: str, language: str) -> list[list[str]]:
    """Lines of the blocks of code in a section, comments left out."""
    _, found, section = text.partition(f"\n{heading}\n")
    if not found:
        sys.exit(f"README.md: has no section '{heading}'; name it in benchmarks/walkthrough.py.")
    section = re.split(r"\n#+ (?=[A-Z])", section)[0]
    blocks = re.findall(rf"^ *```{language}\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [
        [line for line in (re.sub(r"\s+# .*", "", line) for line in block.splitlines()) if line]
        for block in blocks
    ]


def list_own_task(text: str) -> list[str]:
    """The steps to a recipe of one's own, its entry appended to config.yaml, and the run in minutes."""
    heading = "## A task of your own"
    *_, layout, runs = read_blocks(text, heading, "sh")
    (entry,) = read_blocks(text, heading, "yaml")
    short = [run.strip() for run in runs if "scale=smoke" in run]
    indent = len(entry[0]) - len(entry[0].lstrip())
    lines = " ".join(f"'{line[indent:]}'" for line in entry)
    return [
        ". .venv/bin/activate",
        *layout,
        f"printf '%s\\n' {lines} >> config.yaml",
        *short,
        "git checkout --quiet config.yaml",
    ]


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
    parts = [found[name] for name in ("reproduce", "reward")]
    steps = [step for part in parts for step in part["steps"]]
    body = [[f"`{step['command']}`", f"{step['seconds'] / 60:.1f}"] for step in steps]
    body.append(["all", f"{sum(step['seconds'] for step in steps) / 60:.1f}"])
    before, after = found["reward"]["reward"]
    hardware = found["hardware"]
    return (
        f"{format_rows(['Command', 'Minutes'], body)}\n\n"
        f"On {hardware['processor']}, {hardware['cores']} cores, in a fresh clone. Its environment is included, LaTeX "
        f"{'was there before' if found['latex'] else 'too'}. The mean reward of all steps of GRPO went from "
        f"{before:.3f} to {after:.3f}. Made by `benchmarks/walkthrough.py`."
    )


if __name__ == "__main__":
    sys.exit(main())
