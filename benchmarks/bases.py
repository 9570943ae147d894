"""Two runs from two base models, side by side: what the base alone knows, and what is made of it.

    snakemake results/tables/probes.csv results/tables/main.csv                     # in one clone
    snakemake ... --config base='{model: "bundled:base_models/long"}'     # in another
    python benchmarks/bases.py CLONE/results/laptop OTHER_CLONE/results/laptop

Output: benchmarks/bases.csv, a row for each probe and for each task's policy after SFT and after GRPO, for what both
runs have made: how many questions or worlds, how many the first and the other get right, and, of worlds, how many
one of them alone. `make readme` makes a table of it.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from taskreason.config.load import load_config
from taskreason.report.labels import label_policy, task_title
from taskreason.report.render.tables import render_markdown
from taskreason.report.tables.spec import COUNT, FINE, Column, Spec, name
from taskreason.rollouts.metrics import read_episodes, wilson_interval

OUT = Path(__file__).with_name("bases.csv")
COLUMNS = ["what", "policy", "number", "first", "other", "only_first", "only_other"]
SPEC = Spec(
    names=[name("policy", "Policy", label_policy), name("what", "Task or probe", task_title)],
    values=[
        Column("number", "Number", COUNT),
        Column("first_rate", "usual", FINE),
        Column("other_rate", "long", FINE),
        Column("only_first", "Only one right|usual", COUNT),
        Column("only_other", "Only one right|long", COUNT),
    ],
)


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
    """Episodes of each trained policy on its own task, in the same worlds."""
    rows = []
    for task in load_config({}).tasks:
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
    """What the longer-trained base model changes."""
    if not OUT.exists():
        return None
    rows = pd.read_csv(OUT).fillna({"policy": "base"})
    for side in ("first", "other"):
        rows[f"{side}_rate"] = rows[side] / rows["number"]
        ends = [wilson_interval(*pair) for pair in zip(rows[side], rows["number"], strict=True)]
        rows[[f"{side}_rate_low", f"{side}_rate_high"]] = ends
    return (
        f"{render_markdown(SPEC, rows)}\n\n"
        "Share of episodes solved, or of questions answered rightly, with its Wilson interval. "
        "Made by `benchmarks/bases.py` and `make readme`."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="results/SCALE of a run from the usual base")
    parser.add_argument("other", type=Path, help="results/SCALE of a run from another base")
    args = parser.parse_args()
    rows = compare_probes(args.first, args.other) + compare_episodes(args.first, args.other)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(OUT, index=False)


if __name__ == "__main__":
    main()
