"""The tasks: a goal and a kitchen each, in a layout file, from whose kitchen the generator varies.

Ten come with the project, in data/layouts. A person's own layout file makes a further task. What can't work there is
refused in one sentence before any job starts: a kitchen that can't be varied, a goal without a plan, a bound that shuts
out the shortest plan.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from itertools import islice, permutations, product, takewhile
from operator import eq
from pathlib import Path
from statistics import median

from taskreason.durability.bundled_files import PACKAGE, verify_bundled
from taskreason.durability.errors import UserError
from taskreason.environments.base import TaskSpec

from .planner.search import QUICK_LIMIT, Planner
from .simulator.engine import Kitchen
from .simulator.generator import Mode, generate_layout, list_different
from .simulator.goal_stack import compile_stacks
from .simulator.layout import Layout
from .simulator.layout_files import load_layouts

PROJECT = PACKAGE.parents[1]
DATA = Path(__file__).with_name("data")
TASKS = {
    spec.name: spec
    for spec in (
        TaskSpec("cheese_sandwich", timeout=15, bound=10),
        TaskSpec("burger", timeout=15, bound=10),
        TaskSpec("cheese_burger", timeout=23, bound=15),
        TaskSpec("double_cheese_burger", timeout=35, bound=23),
        TaskSpec("lettuce_sandwich", timeout=21, bound=14),
        TaskSpec("lettuce_tomato_sandwich", timeout=36, bound=24),
        TaskSpec("lettuce_tomato_cheese_burger", timeout=54, bound=36),
        TaskSpec("two_lettuce_chicken_sandwiches", timeout=66, bound=44),
        TaskSpec("cheese_burger_and_chicken_sandwich", timeout=86, bound=57),
        TaskSpec("two_lettuce_tomato_burgers", timeout=95, bound=63),
    )
}
"""Every task that comes with the project, from simple to complex."""
PUBLISHED = tuple(TASKS)[:4]
"""The benchmark's own, which the paper reports. What the base model learns beforehand holds none of their goals."""

TRIED = range(1, 11)
"""Seeds of varied kitchens that are drawn, not planned in, to see whether the generator can."""
SAMPLE = 100
"""Varied kitchens from which numbers are proposed."""


def load_template(task: TaskSpec) -> Layout:
    """The task's own kitchen. A relative path of a person's own is looked for here, then in the checkout."""
    if not task.file:
        return _read_template(DATA / "layouts" / f"{task.name}.json")
    file = Path(task.file).absolute()
    return _read_template(file if file.exists() else PROJECT / task.file)


@cache
def _read_template(file: Path) -> Layout:
    verify_bundled([file])
    layouts = load_layouts(file)
    if len(layouts) > 1:
        raise UserError(f"{file}: holds {len(layouts)} layouts; give a file with one.")
    return layouts[0]


def fingerprint(task: TaskSpec) -> str:
    """16 hex digits that change with anything that kitchens take from a task's layout."""
    return hashlib.sha256(json.dumps(load_template(task).to_json()).encode()).hexdigest()[:16]


def find_task(layout: Layout) -> str:
    """The name of the task whose goal a layout has, "other" where it is none's."""
    goal = set(layout.goal)
    return next((n for n, task in TASKS.items() if set(load_template(task).goal) == goal), "other")


def check_task(task: TaskSpec, mode: Mode) -> None:
    """Raise UserError with one sentence for a task that can't go through the workflow."""
    shortest = measure_template(load_template(task), mode)
    if task.bound < shortest:
        raise UserError(
            f"bound is {task.bound}, below the {shortest} steps of the shortest plan in the task's own kitchen; "
            "raise it."
        )


def measure_template(template: Layout, mode: Mode) -> int:
    """Steps of the shortest plan in a task's own kitchen; raises UserError where it or the generator fails."""
    for seed in TRIED:
        generate_layout(template, seed, mode)
    steps = _measure(template)
    if steps is None:
        raise UserError(
            f"{template.source}: the goal can't be reached from this kitchen; change one of the two."
        )
    if not steps:
        raise UserError(
            f"{template.source}: the goal is reached before the first step; ask for more."
        )
    return steps


def _measure(layout: Layout) -> int | None:
    """Steps of a shortest plan; a run plans in hundreds of kitchens, so that none may take more than seconds."""
    kitchen = Kitchen(layout)
    return Planner(kitchen, QUICK_LIMIT).distance(kitchen.initial)


def propose(file: Path, mode: Mode, seed: int) -> str:
    """What to write into the configuration for a layout file, with what the numbers rest on.

    The bound is the shortest plan in the task's own kitchen and the timeout half as much again, as the benchmark has
    it; the bound is raised where it would leave too few kitchens for the expert's trajectories.
    """
    name, place = file.stem, file.resolve()
    if name in TASKS or not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise UserError(
            f"{file}: {name!r} can't be the name of a task of one's own; name the file by small letters, digits and "
            f"single underscores, and not as {', '.join(TASKS)}."
        )
    template = _read_template(place)
    own = measure_template(template, mode)
    drawn = islice(list_different(template, seed, mode), SAMPLE)
    lengths = sorted(map(_measure, drawn))
    bound = max(own, lengths[len(lengths) // 2])
    within = sum(steps <= bound for steps in lengths)
    timeout = -(-3 * bound // 2)
    shown = place.relative_to(PROJECT) if place.is_relative_to(PROJECT) else place
    return "\n".join(
        [
            f"The shortest plan takes {own} steps in the task's own kitchen, and in {len(lengths)} varied ones "
            f"{lengths[0]} to {lengths[-1]}, half of them at most {median(lengths):g}.",
            f"Within {bound} steps the expert can finish in {within} of {len(lengths)}; within {timeout}, where "
            f"episodes end, anybody can in {sum(steps <= timeout for steps in lengths)}.",
            "In config.yaml:",
            "",
            f"tasks: [{name}]",
            "task_settings:",
            f"  {name}: {{layout: {shown}, timeout: {timeout}, bound: {bound}}}",
        ]
    )


def compare_tasks(trained: TaskSpec, wanted: TaskSpec) -> Mapping[str, float]:
    """Shares of a task's stack that the one trained on has, too: from the bottom, kind by kind, and in length."""
    known, asked = list_orders(trained), list_orders(wanted)
    size = len(asked[0])
    pairs = product(known, asked)
    return {
        "prefix": max(sum(takewhile(bool, map(eq, *pair))) for pair in pairs) / size,
        "skills": sum(slot in known[0] for slot in asked[0]) / size,
        "length": min(1.0, len(known[0]) / size),
    }


def list_orders(task: TaskSpec) -> list[list[tuple[str, int]]]:
    """The orders in which a task's items may be stacked, from the bottom: kinds, each with the flags it must have.

    Raises UserError for a goal that is not one stack.
    """
    template = load_template(task)
    stacks = compile_stacks(Kitchen(template).goal)
    if len(stacks) != 1:
        raise UserError(
            f"{template.source}: the goal is not one stack, so that the theory's table of what tasks share has no "
            "row for it; leave the task out of tasks."
        )
    target = stacks[0]
    top = [target.top] if target.top else []
    orders = [[*target.chain, *loose, *top] for loose in permutations(target.loose)]
    return [[(slot.kind, slot.flags) for slot in order] for order in orders]
