"""A kitchen's shortest plan with the reason for every step."""

from textwrap import fill

from taskreason.durability.errors import UserError

from .reasoning import explain_plan
from .simulator.layout import Layout
from .teacher import KitchenTeacher
from .world import KitchenWorld

WIDTH = 78


def explain(layout: Layout) -> str:
    """The expert's plan: each step's number, action, what else is as good, and the reason for it.

    The reason is the expert's thought; of that, what it has just said at the step before is left out.
    """
    world = KitchenWorld(layout)
    teacher = KitchenTeacher(world)
    if teacher.distance(world.initial) is None:
        raise UserError(
            f"{layout.source}: the goal can't be reached in this kitchen; change the layout."
        )
    plan = teacher.plan(world.initial)
    lines = [fill(layout.goal_description, WIDTH), f"{len(plan)} steps, none fewer."]
    before: list[str] = []
    for step, (state, action) in enumerate(plan):
        lines += ["", f"{step + 1:3}. {action.text}"]
        if others := [text for text in teacher.optimal(state) if text != action.text]:
            lines.append(_indent(f"as good: {', '.join(others)}"))
        thought = explain_plan(world.kitchen, teacher.target, plan[step:]).rstrip(".").split(". ")
        lines += [_indent(f"{sentence}.") for sentence in thought if sentence not in before]
        before = thought
    return "\n".join(lines)


def _indent(text: str) -> str:
    return fill(text, WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 7)
