"""What other arithmetic changes: a run on this kind of processor against the reference of another.

    python benchmarks/arithmetic.py [RESULTS]    # a finished run of the laptop scale; default results

Processors that multiply bf16 train in it, others in fp32. Output: results/bench/arithmetic.json, from which
`make readme` makes a table of docs/reliability.md.
"""

import argparse
import json
from pathlib import Path

from taskreason.config.load import load_config
from taskreason.durability.provenance import name_arithmetic, name_machine
from taskreason.report.labels import label_policy
from taskreason.report.render.tables import format_rows
from taskreason.studies.reference import read_outcomes, read_provenance, read_reference
from taskreason.studies.trainings import compare_trainings
from taskreason.studies.verify import LEVEL, compare_cells, list_exact

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "arithmetic.json"
SCALE = "laptop"


def main() -> None:
    """Compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="?", type=Path, default=ROOT / "results")
    results = parser.parse_args().results
    kept, reference = read_reference(load_config({}).env.data / "reference" / SCALE)
    record = read_provenance(results, SCALE)
    cells = compare_cells(kept, read_outcomes(results, SCALE), list_exact(reference["config"]))
    tested = cells[~cells["exact"]]
    found = {
        "machines": [
            f"{name_machine(of['hardware'])}, in {name_arithmetic(of['hardware'])}"
            for of in (reference, record)
        ],
        "commit": record["commit"],
        "trainings": compare_trainings(cells, LEVEL).to_dict("records"),
        "exact": [int(cells["same"][cells["exact"]].sum()), int(cells["exact"].sum())],
        "tested": [int(tested["agrees"].sum()), len(tested)],
        "differ": tested.loc[~tested["agrees"], ["name", "sr_a", "sr_b"]].to_dict("records"),
    }
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(json.dumps(found, indent=1) + "\n")
    print(make_table())


def make_table() -> str | None:
    """The last comparison as Markdown; None where there is none."""
    if not FOUND.is_file():
        return None
    found = json.loads(FOUND.read_text())
    rows = [
        [
            label_policy(row["policy"]),
            str(row["trainings"]),
            f"{row['mean']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]",
        ]
        for row in found["trainings"]
    ]
    others = "; ".join(
        f"{cell['name']}, {cell['sr_a']:.2f} there and {cell['sr_b']:.2f} here"
        for cell in found["differ"]
    )
    there, here = found["machines"]
    same, exact = found["exact"]
    agree, tested = found["tested"]
    return (
        f"{format_rows(['Policy', 'Trainings', 'SR, this run less the reference'], rows)}\n\n"
        f"Reference: {there}. This run: {here}, commit {found['commit'][:7]}. Mean over the trainings' own tasks, "
        f"greedy replies, with Student's intervals, {1 - LEVEL:.0%} for all rows together. Of the policies that no "
        f"model plays, {same} of {exact} are the same step by step. Tested in the same worlds, as if the trainings had "
        f"been the same, {agree} of {tested} success rates agree{'; the others: ' if others else ''}{others}. Made by "
        "`benchmarks/arithmetic.py`."
    )


if __name__ == "__main__":
    main()
