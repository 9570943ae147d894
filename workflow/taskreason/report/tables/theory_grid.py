"""The table that sets what tasks share beside how a policy trained on one does on the other (Corollary 3.2)."""

from collections.abc import Sequence
from itertools import permutations, takewhile

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.goal_stack import compile_towers
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.tasks import find_task
from taskreason.report.labels import task_title
from taskreason.report.render.latex import MISSING, format_rate, make_row, make_tabular
from taskreason.report.tables.cells import Table
from taskreason.report.theory_data import Theory

SHARED = ("prefix", "skills", "length")


def make_grid(theory: Theory) -> Table:
    """Corollary 3.2 across tasks: what a task shares with the one trained on, beside SR, and their rank correlation."""
    recipes = {
        task: list_recipes(find_task(task, theory.recipes).template) for task in theory.tasks
    }
    records = []
    for trained in theory.tasks:
        for task in theory.tasks:
            if trained == task:
                continue
            (mine, *_), (wanted, *_) = recipes[trained], recipes[task]
            common = max(count_common(a, b) for a in recipes[trained] for b in recipes[task])
            records.append(
                {
                    "train_task": trained,
                    "eval_task": task,
                    "prefix": common / len(wanted),
                    "skills": sum(slot in mine for slot in wanted) / len(wanted),
                    "length": min(1.0, len(mine) / len(wanted)),
                    "sr": theory.grid[trained, task],
                }
            )
    frame = pd.DataFrame(records)
    rows = [make_row("Trained on", "Evaluated on", "Prefix", "Kinds", "Length", "SR"), r"\midrule"]
    for record in records:
        titles = [task_title(record[key]) for key in ("train_task", "eval_task")]
        rows.append(make_row(*titles, *(format_rate(record[key]) for key in (*SHARED, "sr"))))
    ranks = frame[[*SHARED, "sr"]].rank().corr()["sr"]
    shown = [
        MISSING if pd.isna(ranks[key]) else rf"\ensuremath{{{ranks[key]:+.2f}}}" for key in SHARED
    ]
    rows += [r"\midrule", make_row("Rank correlation with SR", "", *shown, "")]
    for key in SHARED:
        frame[f"{key}_correlation"] = ranks[key]
    return Table(frame, make_tabular("llrrrr", rows))


def list_recipes(template: Layout) -> list[list[tuple[str, int]]]:
    """The orders in which a task's items may be stacked, from the bottom: kinds, each with the flags it must have.

    Raises UserError for a goal that is not one stack.
    """
    towers = compile_towers(Kitchen(template).goal) or []
    if len(towers) != 1:
        raise UserError(
            f"{template.source}: the goal is not one stack, so that the theory's table of what tasks share has no "
            "row for it; leave the recipe out of tasks."
        )
    tower = towers[0]
    top = [tower.top] if tower.top else []
    orders = [[*tower.chain, *loose, *top] for loose in permutations(tower.loose)]
    return [[(slot.kind, slot.flags) for slot in order] for order in orders]


def count_common(first: Sequence, second: Sequence) -> int:
    """Length of the longest beginning that two sequences share."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
