"""The tasks: a kitchen and a goal each, from a layout file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taskreason.config.models import Recipe
from taskreason.durability.bundled_files import PACKAGE, verify_shipped
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.simulator.layout_files import load_layouts

PROJECT = PACKAGE.parents[1]
DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Task:
    """A recipe; layout: the file of its default kitchen."""

    layout: Path

    @cached_property
    def template(self) -> Layout:
        """The task's default kitchen, from which the generator varies."""
        verify_shipped([self.layout])
        layouts = load_layouts(self.layout)
        if len(layouts) > 1:
            raise UserError(f"{self.layout}: holds {len(layouts)} layouts; give a file with one.")
        return layouts[0]


TASKS = {
    name: Task(DATA / "layouts" / f"{name}.json")
    for name in ("cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger")
}
"""The four tasks that are reproduced, from simple to complex."""


def find_task(name: str, recipes: Mapping[str, Recipe]) -> Task:
    """One of the four tasks, or a recipe of the configuration."""
    if name in TASKS:
        return TASKS[name]
    return Task(PROJECT / recipes[name].layout)
