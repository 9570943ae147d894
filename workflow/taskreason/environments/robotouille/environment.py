"""Robotouille, the cooking benchmark: burgers and sandwiches, put together by a robot with one hand.

Everything that knows what a kitchen is lies in this folder; the rest of the library sees it through this module. Its
parts: simulator (the rules), planner (shortest plans), teacher (plans in words), pretraining (what a base
model learns before any task), greedy (a rule of thumb), drawing, gallery, and the commands of its own.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from taskreason.durability.bundled_files import verify_bundled
from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment, Split, State, TaskSpec

from . import renaming
from . import tasks as task_files
from .commands import add_commands
from .english import phrase
from .gallery import KitchenGallery
from .greedy import misses_shortest_plan, reply_greedily
from .planner.search import BRIEF_LIMIT, Planner
from .pretraining import probes
from .pretraining.curriculum import KitchenPretraining, KitchenRehearsal
from .simulator.generator import MODES, generate_layout
from .simulator.layout_files import Reader, load_layouts, parse_layout
from .teacher import KitchenTeacher, shorten
from .world import KitchenWorld


class Robotouille(Environment):
    """Tasks are goals, worlds are kitchens."""

    name = "robotouille"
    tasks = task_files.TASKS
    default_tasks = task_files.PUBLISHED
    modes = MODES
    worlds = "kitchens"
    splits = {
        "grouped": Split("Grouped", mode="grouped"),
        "hard": Split("Planning-hard", keep=misses_shortest_plan),
        "larger": Split("Larger", mode="larger"),
    }
    rule_policies = {"greedy": reply_greedily}
    pretraining = KitchenPretraining()
    rehearsal = KitchenRehearsal()
    probe_sizes = probes.SIZES
    probe_labels = probes.LABELS
    data = task_files.DATA
    gallery = KitchenGallery()

    draw_renaming = staticmethod(renaming.draw_renaming)
    rename = staticmethod(renaming.rename)
    sort_names = staticmethod(renaming.sort_names)
    shorten = staticmethod(shorten)
    phrase = staticmethod(phrase)
    draw_probes = staticmethod(probes.draw_probes)
    fingerprint = staticmethod(task_files.fingerprint)
    compare_tasks = staticmethod(task_files.compare_tasks)
    check_task = staticmethod(task_files.check_task)
    add_commands = staticmethod(add_commands)

    @cached_property
    def rules(self) -> str:
        """The rules of the kitchen, as the benchmark's ReAct agent is told them."""
        return _read_prompt("rules.txt")

    @cached_property
    def example(self) -> str:
        """An episode in a kitchen of the lettuce sandwich, which the paper does not report."""
        return _read_prompt("example.txt")

    def draw(self, task: TaskSpec, seed: int, mode: str = "") -> KitchenWorld:
        """The kitchen of a seed, varied from the task's own."""
        layout = generate_layout(task_files.load_template(task), seed, mode or self.modes[0])
        return KitchenWorld(layout)

    def describe_start(self, world: KitchenWorld) -> str:
        """Whether the robot has something in its hand."""
        return "holding" if world.initial.hand >= 0 else "empty-handed"

    def load(self, row: Mapping[str, Any], source: str) -> KitchenWorld:
        """The kitchen whose layout, in the benchmark's JSON, stands in a row."""
        return KitchenWorld(parse_layout(Reader(row, source, "").required("layout"), source))

    def dump(self, world: KitchenWorld) -> dict[str, Any]:
        """The layout, in the benchmark's JSON."""
        return {"layout": world.kitchen.layout.to_json()}

    def teacher(self, world: KitchenWorld, patient: bool = True) -> KitchenTeacher:
        """The exact planner, with its reasons."""
        return KitchenTeacher(world, None if patient else Planner(world.kitchen, BRIEF_LIMIT))

    def explain(self, world: KitchenWorld, steps: Sequence[tuple[State, str]]) -> list[str]:
        """The teacher's words for each step of any plan."""
        kitchen, teacher = world.kitchen, KitchenTeacher(world)
        plan = [(state, kitchen.find_action(state, text)) for state, text in steps]
        return [teacher.explain(plan[t:]) for t in range(len(plan))]

    def check_curriculum(self, sizes: Mapping[str, int]) -> None:
        """No more kitchens with few objects than there are kitchens."""
        if sizes["small_chores"] > sizes["chores"]:
            raise UserError(
                f"has {sizes['small_chores']} small_chores, more than its {sizes['chores']} chores; lower them"
            )

    def read_worlds(self, path: Path) -> list[tuple[KitchenWorld, str]]:
        """The layouts of a file or folder; a task is found by its goal."""
        layouts = load_layouts(path)
        return [(KitchenWorld(layout), task_files.find_task(layout)) for layout in layouts]

    def draw_figure(self, world: KitchenWorld, actions: Sequence[str]) -> Any:
        """The kitchen with the robot's path, and the list of actions."""
        from .drawing import draw_figure

        return draw_figure(world, actions)


def _read_prompt(name: str) -> str:
    file = task_files.DATA / "prompt" / name
    verify_bundled([file])
    return file.read_text(encoding="utf-8")


ENVIRONMENT = Robotouille()
