"""How the generator's kitchens compare with the benchmark's: `python benchmarks/generator.py [--kitchens 400]`.

benchmarks/generator.csv holds what was measured on kitchens of the benchmark's own generator, 150 a task and mode.
The same is measured here on ours. Output: results/bench/generator.csv, from which `make readme` fills the table in
docs/tasks.md.
"""

import argparse
from itertools import product
from pathlib import Path
from statistics import mean

import pandas as pd

from taskreason.durability.progress import follow
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import MODES, Mode, generate_layout
from taskreason.environments.robotouille.tasks import PUBLISHED, TASKS, load_template
from taskreason.report.render.tables import format_rows

ROOT = Path(__file__).resolve().parents[1]
BENCHMARK, FOUND = (
    ROOT / "benchmarks" / "generator.csv",
    ROOT / "results" / "bench" / "generator.csv",
)


def main() -> None:
    """Measure every task and mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kitchens", type=int, default=400)
    number = parser.parse_args().kitchens
    rows = [measure(task, mode, number) for mode, task in product(MODES, PUBLISHED)]
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(FOUND, index=False)


def measure(task: str, mode: Mode, number: int) -> dict:
    """What generator.csv tells of the first ``number`` kitchens of a task and mode."""
    template = load_template(TASKS[task])
    wanted = {kind for term in template.goal for kind in term.args}
    steps, items, held = [], [], []
    for seed in follow(range(number), f"{mode} {task}", number, "kitchens"):
        layout = generate_layout(template, seed, mode)
        kitchen = Kitchen(layout)
        steps.append(Planner(kitchen).distance(kitchen.initial))
        items.append(len(layout.items))
        held.append(next((i.name for i in layout.items if i.cell == layout.robot.cell), ""))
    holding = [n for n, kind in zip(steps, held, strict=True) if kind]
    empty = [n for n, kind in zip(steps, held, strict=True) if not kind]
    kinds = [kind in wanted for kind in held if kind]
    return {
        "mode": mode,
        "task": task,
        "kitchens": number,
        "holding": len(holding) / number,
        "held_goal": mean(kinds) if kinds else None,
        "optimal": mean(steps),
        "optimal_holding": mean(holding) if holding else None,
        "optimal_empty": mean(empty),
        "items": mean(items),
    }


COLUMNS = {
    "holding": ("Holding an item", "{:.2f}"),
    "held_goal": ("of a kind in the goal", "{:.2f}"),
    "optimal": ("Shortest plan", "{:.1f}"),
    "optimal_holding": ("holding", "{:.1f}"),
    "optimal_empty": ("empty-handed", "{:.1f}"),
    "items": ("Items", "{:.1f}"),
}


def make_table() -> str | None:
    """Ours next to the benchmark's, in Markdown; None before anything has been measured."""
    if not FOUND.exists():
        return None
    keys = ["mode", "task"]
    ours, theirs = (pd.read_csv(file).set_index(keys) for file in (FOUND, BENCHMARK))
    body = []
    for place, row in ours.iterrows():
        cells = [
            "–" if pd.isna(row[key]) else f"{form.format(row[key])} / {form.format(known)}"
            for key, (_, form) in COLUMNS.items()
            for known in [theirs.loc[place, key]]
        ]
        body.append([*place, *cells])
    header = ["Mode", "Task", *(title for title, _ in COLUMNS.values())]
    return f"{format_rows(header, body)}\n\nOurs / the benchmark's. Made by `python benchmarks/generator.py`."


if __name__ == "__main__":
    main()
