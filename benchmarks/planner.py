"""How long the planner takes, task by task: `python benchmarks/planner.py [--kitchens 50] [--recorded FOLDER]`.

For each of the ten tasks, the shortest plans of the first kitchens that the generator varies; with a folder of recorded
traces of the benchmark, also those of the layouts in them, and of kitchens varied from each. Processor seconds of one
core, the planner's preparation included. Output: results/bench/planner.csv, from which `make readme` fills the tables
in docs/tasks.md.
"""

import argparse
import gzip
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.progress import follow, say
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import generate_layout
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import TASKS, load_template
from taskreason.report.render.tables import render_markdown
from taskreason.report.tables.spec import COUNT, Spec, columns, name

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "planner.csv"
LIMIT = 10.0
"""Seconds within which a kitchen is to be planned; a search gives up after four times as many by the clock."""
VARIED = 10
"""Kitchens that are varied from each recorded layout."""


def main() -> None:
    """Measure every task, and every recorded layout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kitchens", type=int, default=50)
    parser.add_argument("--recorded", type=Path)
    options = parser.parse_args()
    rows = []
    for task, spec in TASKS.items():
        template = load_template(spec)
        varied = (generate_layout(template, seed, "scattered") for seed in range(options.kitchens))
        rows.append({"part": "ours", "task": task} | measure(task, varied, options.kitchens))
    recorded = read_recorded(options.recorded) if options.recorded else {}
    for task, layouts in sorted(recorded.items()):
        kitchens = [*layouts, *vary(layouts[0])]
        rows.append({"part": "benchmark", "task": task} | measure(task, kitchens, len(kitchens)))
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(FOUND, index=False)


def read_recorded(folder: Path) -> dict[str, list[Layout]]:
    """The layouts of the benchmark's tasks in a folder of traces; one that is refused is told and left out."""
    found: dict[str, dict[str, Layout]] = {}
    for file in sorted(folder.glob("traces_*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            for row in map(json.loads, lines):
                text = json.dumps(row["layout"], sort_keys=True)
                try:
                    found.setdefault(row["task"], {})[text] = parse_layout(
                        row["layout"], row["task"]
                    )
                except UserError as error:
                    say(str(error))
    return {task: [*layouts.values()] for task, layouts in found.items() if layouts}


def vary(template: Layout) -> Iterator[Layout]:
    """Kitchens of our generator from a layout, where it can vary it."""
    for seed in range(VARIED):
        try:
            yield generate_layout(template, seed, "scattered")
        except UserError:
            return


def measure(task: str, layouts: Iterable[Layout], number: int) -> dict:
    """Steps of the shortest plans, and the seconds that they took to be found."""
    steps, seconds, within = [], [], 0
    for layout in follow(layouts, task, number, "kitchens"):
        begin = time.process_time()
        try:
            plan = Planner(Kitchen(layout), seconds=4 * LIMIT).plan()
        except UserError:
            plan = None
        seconds.append(time.process_time() - begin)
        if plan is not None:
            steps.append(len(plan))
            within += seconds[-1] <= LIMIT
    return {
        "kitchens": len(seconds),
        "planned": len(steps),
        "within": within,
        "median_s": median(seconds),
        "worst_s": max(seconds),
        "shortest": min(steps, default=None),
        "steps": median(steps) if steps else None,
        "longest": max(steps, default=None),
    }


PLANNED = [
    *columns(COUNT, kitchens="Kitchens", within="in 10 s"),
    *columns(".2g", median_s="Planner, median s", worst_s="worst s"),
    name("plans", "Shortest plans"),
]
"""How what was measured is printed."""


def read_found(part: str) -> pd.DataFrame | None:
    """What was measured of "ours" or of the "benchmark"; None before anything has been."""
    if not FOUND.exists():
        return None
    rows = pd.read_csv(FOUND).query("part == @part")
    plans = [f"{row.shortest:g}–{row.longest:g}" for row in rows.itertuples()]
    return rows.assign(plans=plans)


def make_table() -> str | None:
    """The benchmark's recorded tasks, in Markdown; None before they have been measured."""
    rows = read_found("benchmark")
    if rows is None or rows.empty:
        return None
    table = render_markdown(Spec([name("task", "Task")], PLANNED), rows)
    return f"{table}\n\nMade by `python benchmarks/planner.py --recorded FOLDER`."


if __name__ == "__main__":
    main()
