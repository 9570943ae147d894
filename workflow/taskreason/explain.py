"""A kitchen's shortest plan with the reason for every step."""

from taskreason.errors import UserError
from taskreason.kitchen.engine import Kitchen
from taskreason.kitchen.layout import Layout
from taskreason.reasoning import Expert


def explain(layout: Layout) -> str:
    """The expert's plan: each step's number, action, what else is as good, and the thought that leads to it."""
    kitchen = Kitchen(layout)
    expert = Expert(kitchen)
    if expert.planner.distance(kitchen.initial) is None:
        raise UserError(
            f"{layout.source}: the goal can't be reached in this kitchen; change the layout."
        )
    plan = expert.plan(kitchen.initial)
    lines = [f"{layout.goal_description}", f"{len(plan)} steps, none fewer."]
    for step, (state, action) in enumerate(plan):
        others = [a.text for a in expert.planner.optimal_actions(state) if a != action]
        lines += ["", f"{step + 1:3}. {action.text}"]
        if others:
            lines.append(f"     as good: {', '.join(others)}")
        lines += [
            f"     {sentence}." for sentence in expert.explain(plan[step:]).rstrip(".").split(". ")
        ]
    return "\n".join(lines)
