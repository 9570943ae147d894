"""The figures of the theory: single turns before and after GRPO, the recursion against episodes, horizons, the grid."""

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from taskreason.report.figures import style
from taskreason.report.labels import label_policy, task_title
from taskreason.report.tables.theory import Theory, make_grid
from taskreason.report.tables.theory_specs import POLICIES, REFERENCE, list_shared
from taskreason.theory.theorems import amplify, find_fixed_point

STEPS_SHOWN = (1, 2, 5)
"""Steps of the amplification recursion that are drawn."""
SHARED_LABELS = {
    "prefix": "Common beginning",
    "skills": "Known kinds",
    "length": "Length trained on",
}


def _draw_tasks(theory: Theory, panels: tuple) -> Figure:
    """A panel a task, which ``draw(theory, axis, task)`` fills."""
    draw, x, y, height, columns = panels
    figure, axes = style.new_figure(1, len(theory.tasks), style.PAGE_WIDTH, height, sharey=True)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        draw(theory, axis, task)
        axis.set(title=task_title(task), xlabel=x)
    axes[0, 0].set_ylabel(y)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=columns)
    return figure


def _draw_single(theory: Theory, axis, task: str) -> None:
    """Success of single replies at each expert state, before GRPO and after it, and what the recursion makes of it."""
    grid = np.linspace(0.001, 0.999, 400)
    both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
    both = both[both["place"] == "expert"]
    rates = [both[f"expert_{p}"].astype(float) / both[f"replies_{p}"] for p in POLICIES]
    # Rates are multiples of 1 / replies; a little noise keeps equal ones apart.
    jitter = np.random.default_rng(theory.tasks.index(task))
    spread = 0.5 / both[f"replies_{REFERENCE}"].max()
    places = [rate + jitter.uniform(-spread, spread, len(rate)) for rate in rates]
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.8, label="No change")
    axis.scatter(*places, s=7, alpha=0.4, color=style.POLICY_COLOURS[POLICIES[1]], linewidth=0)
    axis.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    if theory.beta:
        grey, p = {"color": "#888888", "linewidth": 0.8}, grid
        for step in range(1, max(STEPS_SHOWN) + 1):
            p = amplify(p, grid, theory.beta)
            if step in STEPS_SHOWN:
                axis.plot(grid, p, linestyle=":", **grey)
        steps = ", ".join(map(str, STEPS_SHOWN))
        axis.plot([], [], linestyle=":", label=f"{steps} steps of amplification", **grey)
        limit = find_fixed_point(grid, theory.beta)
        axis.plot(grid, limit, linestyle="--", label="Its fixed point", **grey)


def _draw_recursion(theory: Theory, axis, task: str) -> None:
    """Minimal-step success of each world: predicted by the recursion, and seen in episodes of their own."""
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axis.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    for policy in POLICIES:
        table, colour = theory.worlds[policy, task], style.POLICY_COLOURS[policy]
        ends = table["low"], table["high"] + table["missed"]
        axis.vlines(table["predicted"], *ends, color=colour, alpha=0.3, linewidth=0.8)
        axis.scatter(
            table["predicted"],
            table["observed"],
            s=12,
            marker=style.POLICY_MARKERS[policy],
            color=colour,
            alpha=0.7,
            linewidth=0,
            label=label_policy(policy),
        )


def _draw_multi(theory: Theory, axis, task: str) -> None:
    """P(s_t) along the expert's trajectory, by the steps still to go, with intervals over worlds."""
    for policy in POLICIES:
        table, colour = theory.along[policy, task], style.POLICY_COLOURS[policy]
        sizes = table.groupby("left").size()
        # Worlds differ in length: only distances that most of them have.
        shown = sizes.index[sizes > sizes.max() / 2]
        found = [
            theory.bootstrap(part["success"], part["layout_hash"])
            for _, part in table[table["left"].isin(shown)].groupby("left")
        ]
        means, lows, highs = map(list, zip(*found, strict=True))
        axis.plot(shown, means, color=colour, label=label_policy(policy))
        axis.fill_between(shown, lows, highs, color=colour, alpha=0.15, linewidth=0)
    axis.invert_xaxis()
    axis.xaxis.get_major_locator().set_params(integer=True)


def _draw_horizons(theory: Theory, axis, task: str) -> None:
    """How far both policies get along the expert's trajectory: the product of single turns, and episodes."""
    for policy in POLICIES:
        horizons, colour = (
            theory.horizons[policy, task].groupby("horizon"),
            style.POLICY_COLOURS[policy],
        )
        # Worlds differ in length: only horizons that most of them have.
        most = horizons.size() > horizons.size().max() / 2
        means = horizons[["product", "observed"]].mean()[most]
        axis.plot(means.index, means["observed"], color=colour, label=label_policy(policy))
        axis.plot(means.index, means["product"], color=colour, linestyle=":")
    axis.plot([], [], color="black", label="Seen in episodes")
    axis.plot([], [], color="black", linestyle=":", label="Product of single turns")
    axis.xaxis.get_major_locator().set_params(integer=True)


def draw_grid(theory: Theory) -> Figure:
    """SR of every policy on the tasks that it was not trained on, against what the two tasks share."""
    # An environment that compares no tasks has one panel, in which they share nothing.
    table = make_grid(theory).assign(nothing=0.0)
    shared = list_shared(table) or ["nothing"]
    figure, axes = style.new_figure(1, len(shared), style.PAGE_WIDTH, 2.5, sharey=True)
    for axis, key in zip(axes[0], shared, strict=True):
        for place, task in enumerate(theory.tasks):
            part = table[table["train_task"] == task]
            axis.scatter(
                part[key],
                part["sr"],
                s=22,
                marker="osD^"[place % 4],
                color=style.TASK_COLOURS[place % len(style.TASK_COLOURS)],
                alpha=0.8,
                linewidth=0,
                label=task_title(task),
            )
        label = SHARED_LABELS.get(key, key.capitalize())
        axis.set(xlabel=label, xlim=(-0.06, 1.06), ylim=(0, 1.06))
    axes[0, 0].set_ylabel("SR on the other task")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(theory.tasks), title="Trained on")
    return figure


PANELS = {
    "theory_single": (
        *(_draw_single, f"Right, {label_policy(REFERENCE)}", f"Right, {label_policy(POLICIES[1])}"),
        *(2.45, 3),
    ),
    "theory_recursion": (_draw_recursion, "Predicted", "Seen in episodes", 2.4, 2),
    "theory_multi": (_draw_multi, "Steps to go", "Success from here", 2.3, 2),
    "theory_horizons": (_draw_horizons, "Steps of the sub-task", "Success so far", 2.3, 4),
}
"""What fills a panel, the labels of its axes, the height of the figure, the columns of its legend."""
FIGURES: dict[str, Callable[[Theory], Figure]] = {
    **{name: partial(_draw_tasks, panels=panels) for name, panels in PANELS.items()},
    "theory_grid": draw_grid,
}
