"""Put damaged results aside and make them anew, by themselves: what is the same as before needs nothing made after it.

The arguments are those of the Snakemake run that follows; what can't be made by them is left to it.
"""

import subprocess
import sys
from pathlib import Path

from taskreason.checksums import list_damage, put_aside, read_records


def main() -> None:
    known = read_records(Path("results"))
    damaged = list_damage(known)
    for path, why in damaged.items():
        print(f"{path}: {why}; kept as {put_aside(path)} and made anew.", file=sys.stderr)
    # One after another, the oldest first: what is newer may have been made from it.
    for path in sorted(damaged, key=lambda path: known[path]["mtime_ns"]):
        # The target comes first: an option may take all words that follow it.
        options = ["--rerun-incomplete", *sys.argv[1:]]
        subprocess.run([sys.executable, "-m", "snakemake", path, *options])


if __name__ == "__main__":
    main()
