"""A kitchen's shortest plan with the reason for every step."""

from textwrap import fill

from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.teacher import Expert

WIDTH = 78


def explain(layout: Layout) -> str:
    """The expert's plan: each step's number, action, what else is as good, and the reason for it.

    The reason is the expert's thought; of that, what it has just said at the step before is left out.
    """
    kitchen = Kitchen(layout)
    expert = Expert(kitchen)
    if expert.planner.distance(kitchen.initial) is None:
        raise UserError(
            f"{layout.source}: the goal can't be reached in this kitchen; change the layout."
        )
    plan = expert.plan(kitchen.initial)
    lines = [fill(layout.goal_description, WIDTH), f"{len(plan)} steps, none fewer."]
    before: list[str] = []
    for step, (state, action) in enumerate(plan):
        others = [a.text for a in expert.planner.optimal_actions(state) if a != action]
        lines += ["", f"{step + 1:3}. {action.text}"]
        if others:
            lines.append(_indent(f"as good: {', '.join(others)}"))
        thought = expert.explain(plan[step:]).rstrip(".").split(". ")
        lines += [_indent(f"{sentence}.") for sentence in thought if sentence not in before]
        before = thought
    return "\n".join(lines)


def _indent(text: str) -> str:
    return fill(text, WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 7)
