"""Two runs from two base models, side by side: what the base alone knows, and what is made of it.

    snakemake --cores all results/tables/probes.csv results/tables/main.csv        # in one clone
    snakemake ... --config base='{model: FOLDER/base_models/long}'      # in another
    python benchmarks/bases.py CLONE/results/laptop OTHER_CLONE/results/laptop

Output: benchmarks/bases.csv, a row for each probe and for each task's policy after SFT and after GRPO, for what both
runs have made: how many questions or kitchens, how many the first and the other get right, and, of kitchens, how many
one of them alone. `make readme` makes a table of it.
"""

import argparse
import csv
import json
from pathlib import Path

from markdown_tables import POLICIES, format_table, read_csv

from taskreason.environments.robotouille.tasks import TASKS
from taskreason.rollouts.metrics import read_episodes, wilson_interval

OUT = Path(__file__).with_name("bases.csv")
COLUMNS = ("what", "policy", "number", "first", "other", "only_first", "only_other")


def compare_probes(first: Path, other: Path) -> list[tuple]:
    """Questions to the base models themselves."""
    files = [folder / "probes" / "base.json" for folder in (first, other)]
    if not all(file.exists() for file in files):
        return []
    mine, theirs = (json.loads(file.read_text()) for file in files)
    return [
        (name, "", found["asked"], found["right"], theirs[name]["right"], "", "")
        for name, found in mine.items()
    ]


def compare_episodes(first: Path, other: Path) -> list[tuple]:
    """Episodes of each trained policy on its own task, in the same kitchens."""
    rows = []
    for task in TASKS:
        for policy in ("sft", "sft_grpo"):
            name = Path("episodes") / policy / task / f"{task}.jsonl"
            if not ((first / name).exists() and (other / name).exists()):
                continue
            mine, theirs = (
                read_episodes(folder / name).set_index("layout_hash")["success"]
                for folder in (first, other)
            )
            theirs = theirs.loc[mine.index]
            counts = mine.sum(), theirs.sum(), (mine & ~theirs).sum(), (theirs & ~mine).sum()
            rows.append((task, policy, len(mine), *map(int, counts)))
    return rows


def make_table() -> str | None:
    """What the longer-trained base model changes, beside the usual one."""
    rows = read_csv(OUT)
    if not rows:
        return None
    body = []
    for row in rows:
        number = int(row["number"])
        shown = [format_rate(int(row[key]), number) for key in ("first", "other")]
        alone = f"{row['only_first']}, {row['only_other']}" if row["policy"] else "–"
        label = POLICIES.get(row["policy"], "Base")
        body.append([label, row["what"].replace("_", " "), row["number"], *shown, alone])
    header = ["Policy", "Task or probe", "Number", "usual", "long", "only one right: usual, long"]
    return (
        f"{format_table(header, body)}\n\n"
        "Share of episodes solved, or of questions answered rightly, with its Wilson interval. "
        "Made by `benchmarks/bases.py` and `make readme`."
    )


def format_rate(right: int, number: int) -> str:
    low, high = wilson_interval(right, number)
    return f"{right / number:.3f} ({low:.3f}–{high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="results/SCALE of a run from the usual base")
    parser.add_argument("other", type=Path, help="results/SCALE of a run from another base")
    args = parser.parse_args()
    rows = compare_probes(args.first, args.other) + compare_episodes(args.first, args.other)
    with OUT.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
