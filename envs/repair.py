"""Make damaged and lost results anew, by themselves: what is the same as before needs nothing made after it.

The arguments are those of the Snakemake run that follows. Damaged files are put aside first. A lost file is made where
that run needs it; what can't be made by these arguments is left to it.
"""

import re
import subprocess
import sys
from pathlib import Path

ENVS = Path(__file__).resolve().parent
# The library of this project, whichever the environment has.
sys.path.insert(0, str(ENVS.parent / "workflow"))

from taskreason.durability.checksums import (  # noqa: E402
    list_damage,
    list_records,
    put_aside,
    read_record,
)

SNAKEMAKE = [sys.executable, "-I", "-X", "utf8", str(ENVS / "run_snakemake.py")]


def main() -> None:
    stages: dict[Path, dict] = {}
    for file in list_records(Path("results")):
        stages.setdefault(file.parent, {}).update(read_record(file))
    known = {path: sums for stage in stages.values() for path, sums in stage.items()}
    lost = list_lost(known)
    for path in lost:
        print(f"{path}: it is missing; made anew.", file=sys.stderr)
    damaged = list_damage(known)
    for path, why in damaged.items():
        print(f"{path}: {why}; kept as {put_aside(path)} and made anew.", file=sys.stderr)
    wanted = {*lost, *damaged}
    groups = [[path for path in stage if path in wanted] for stage in stages.values()]
    # Stage after stage, the oldest first: what is newer may have been made from it.
    for group in sorted(filter(None, groups), key=lambda g: min(known[p]["mtime_ns"] for p in g)):
        # The targets come first: an option may take all words that follow it.
        subprocess.run([*SNAKEMAKE, *group, "--rerun-incomplete", *sys.argv[1:]])


def list_lost(known: dict) -> list[str]:
    """Files that an earlier run has made and this one needs, but which are gone."""
    gone = [path for path in known if not Path(path).exists()]
    if not gone:
        return []
    plan = subprocess.run([*SNAKEMAKE, "-n", *sys.argv[1:]], capture_output=True, text=True)
    needed = re.findall(r"reason: Missing output files: ([^;\n]*)", plan.stdout, re.IGNORECASE)
    names = {name.strip() for part in needed for name in part.split(",")}
    return [path for path in gone if path in names]


if __name__ == "__main__":
    main()
