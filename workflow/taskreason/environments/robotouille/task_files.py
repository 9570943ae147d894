"""Recipes beside the four tasks: whether a layout and its numbers can go through the workflow, and which numbers fit.

Input: entries of the configuration's ``recipes``. Each names a layout file in the benchmark's JSON, from whose kitchen
the generator varies, a bound on the expert's trajectories and a timeout. What can't work is refused in one sentence
before any job starts: a kitchen that can't be varied, a goal without a plan, a bound that shuts out the shortest plan.
"""

import hashlib
import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from statistics import median

from taskreason.config.load import resolve_config
from taskreason.config.models import Kitchens, Recipe
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import (
    Mode,
    draw_disjoint,
    generate_layout,
)
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.tasks import PROJECT, Task, find_task

TRIED = 10
"""Varied kitchens that are drawn, not planned in, to see whether the generator can."""
SAMPLE = 100
"""Varied kitchens from which numbers are proposed."""
NODE_LIMIT = 200_000
"""States after which a recipe counts as too large to plan: seconds, where a run plans in hundreds of kitchens."""


def check_recipes(recipes: Mapping[str, Recipe], kitchens: Kitchens) -> None:
    """Raise UserError with one sentence for the first recipe that can't go through the workflow."""
    for name, recipe in recipes.items():
        try:
            shortest = measure_template(find_task(name, recipes).template, kitchens)
        except UserError as error:
            raise UserError(f"recipes.{name}.layout: {error}") from None
        if recipe.expert_bound < shortest:
            raise UserError(
                f"recipes.{name}.expert_bound: is {recipe.expert_bound}, below the {shortest} steps of the shortest "
                "plan in the recipe's own kitchen; raise it."
            )


def measure_template(template: Layout, kitchens: Kitchens) -> int:
    """Steps of the shortest plan in a recipe's own kitchen; raises UserError where it or the generator fails."""
    for seed in range(kitchens.train_seed, kitchens.train_seed + TRIED):
        generate_layout(template, seed, kitchens.mode)
    kitchen = Kitchen(template)
    steps = Planner(kitchen, NODE_LIMIT).distance(kitchen.initial)
    if steps is None:
        raise UserError(
            f"{template.source}: the goal can't be reached from this kitchen; change one of the two."
        )
    if not steps:
        raise UserError(
            f"{template.source}: the goal is reached before the first step; ask for more."
        )
    return steps


def fingerprint(template: Layout) -> str:
    """16 hex digits that change with anything that kitchens take from a recipe's layout."""
    return hashlib.sha256(json.dumps(template.to_json()).encode()).hexdigest()[:16]


def propose(layout: Path, kitchens: Kitchens) -> str:
    """What to write under ``recipes`` for a layout file, with what the numbers rest on.

    The bound is the shortest plan in the recipe's own kitchen and the timeout half as much again, as the benchmark has
    it; the bound is raised where it would leave too few kitchens for the expert's trajectories.
    """
    file = layout.resolve()
    template = Task(file).template
    own = measure_template(template, kitchens)
    lengths = sorted(_measure_kitchens(template, kitchens.mode))
    bound = max(own, lengths[len(lengths) // 2])
    within = sum(steps <= bound for steps in lengths)
    timeout = -(-3 * bound // 2)
    shown = file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file
    entry = {"layout": str(shown), "timeout": timeout, "expert_bound": bound}
    resolve_config({"recipes": {layout.stem: entry}}, config_file="recipes")
    return "\n".join(
        [
            f"The shortest plan takes {own} steps in the recipe's own kitchen, and in {len(lengths)} varied ones "
            f"{lengths[0]} to {lengths[-1]}, half of them at most {median(lengths):g}.",
            f"Within {bound} steps the expert can finish in {within} of {len(lengths)}; within {timeout}, where "
            f"episodes end, anybody can in {sum(steps <= timeout for steps in lengths)}.",
            "In config.yaml:",
            "",
            "recipes:",
            f"  {layout.stem}: {{{', '.join(f'{key}: {value}' for key, value in entry.items())}}}",
        ]
    )


def _measure_kitchens(template: Layout, mode: Mode) -> list[int]:
    """Shortest plans of varied kitchens, steps."""
    drawn = [Kitchen(layout) for _, layout in draw_disjoint(template, mode, count(), SAMPLE, set())]
    return [Planner(kitchen, NODE_LIMIT).distance(kitchen.initial) for kitchen in drawn]
