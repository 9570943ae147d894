"""The figures of the theory: single turns before and after GRPO, the recursion against episodes, horizons, the grid."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from taskreason.report.figures.style import (
    PAGE_WIDTH,
    POLICY_COLOURS,
    POLICY_MARKERS,
    TASK_COLOURS,
    new_figure,
)
from taskreason.report.labels import label_policy, task_title
from taskreason.report.tables.theory import make_grid
from taskreason.report.tables.theory_specs import list_shared
from taskreason.report.theory_data import POLICIES, REFERENCE, Theory
from taskreason.theory.fixed_point import amplify, find_fixed_point

STEPS_SHOWN = (1, 2, 5)
"""Steps of the amplification recursion that are drawn."""
SHARED_LABELS = {
    "prefix": "Common beginning",
    "skills": "Known kinds",
    "length": "Length trained on",
}


def draw_single(theory: Theory) -> Figure:
    """Success of single replies at each expert state, before GRPO and after it, and what the recursion makes of it."""
    figure, axes = new_figure(1, len(theory.tasks), PAGE_WIDTH, 2.45, sharex=True, sharey=True)
    grid = np.linspace(0.001, 0.999, 400)
    jitter = np.random.default_rng(0)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
        both = both[both["place"] == "expert"]
        rates = [both[f"expert_{p}"].astype(float) / both[f"replies_{p}"] for p in POLICIES]
        # Rates are multiples of 1 / replies; a little noise keeps equal ones apart.
        spread = 0.5 / both[f"replies_{REFERENCE}"].max()
        places = [rate + jitter.uniform(-spread, spread, len(rate)) for rate in rates]
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        axis.scatter(*places, s=7, alpha=0.4, color=POLICY_COLOURS[POLICIES[1]], linewidth=0)
        if theory.beta:
            limit = find_fixed_point(grid, theory.beta)
            axis.plot(grid, limit, color="#888888", linewidth=0.8, linestyle="--")
            p = grid
            for step in range(1, max(STEPS_SHOWN) + 1):
                p = amplify(p, grid, theory.beta)
                if step in STEPS_SHOWN:
                    axis.plot(grid, p, color="#888888", linewidth=0.8, linestyle=":")
        axis.set(title=task_title(task), xlabel=f"Right, {label_policy(REFERENCE)}", aspect="equal")
    first = axes[0, 0]
    first.set_ylabel(f"Right, {label_policy(POLICIES[1])}")
    first.plot([], [], color="black", linewidth=0.8, label="No change")
    if theory.beta:
        steps = ", ".join(map(str, STEPS_SHOWN))
        first.plot([], [], ":", color="#888888", label=f"{steps} steps of amplification")
        first.plot([], [], "--", color="#888888", label="Its fixed point")
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_recursion(theory: Theory) -> Figure:
    """Minimal-step success of each world: predicted by the recursion, and seen in episodes of their own."""
    figure, axes = new_figure(1, len(theory.tasks), PAGE_WIDTH, 2.4, sharex=True, sharey=True)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        for policy in POLICIES:
            table = theory.worlds[policy, task]
            axis.vlines(
                table["predicted"],
                table["low"],
                table["high"] + table["missed"],
                color=POLICY_COLOURS[policy],
                alpha=0.3,
                linewidth=0.8,
            )
            axis.scatter(
                table["predicted"],
                table["observed"],
                s=12,
                marker=POLICY_MARKERS[policy],
                color=POLICY_COLOURS[policy],
                alpha=0.7,
                linewidth=0,
                label=label_policy(policy),
            )
        axis.set(title=task_title(task), xlabel="Predicted", aspect="equal")
    axes[0, 0].set_ylabel("Seen in episodes")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def draw_multi(theory: Theory) -> Figure:
    """P(s_t) along the expert's trajectory, by the steps still to go, with intervals over worlds."""
    figure, axes = new_figure(1, len(theory.tasks), PAGE_WIDTH, 2.3, sharey=True)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        for policy in POLICIES:
            table = theory.along[policy, task]
            sizes = table.groupby("left").size()
            # Worlds differ in length: only distances that most of them have.
            shown = sizes.index[sizes > sizes.max() / 2]
            found = [
                theory.bootstrap(part["success"], part["layout_hash"])
                for _, part in table[table["left"].isin(shown)].groupby("left")
            ]
            means, lows, highs = map(list, zip(*found, strict=True))
            colour = POLICY_COLOURS[policy]
            axis.plot(shown, means, color=colour, label=label_policy(policy))
            axis.fill_between(shown, lows, highs, color=colour, alpha=0.15, linewidth=0)
        axis.set(title=task_title(task), xlabel="Steps to go")
        axis.invert_xaxis()
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("Success from here")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def draw_grid(theory: Theory) -> Figure:
    """SR of every policy on the tasks that it was not trained on, against what the two tasks share."""
    table = make_grid(theory)
    # An environment that compares no tasks has one panel, in which all share nothing.
    table, shared = table.assign(nothing=0.0), list_shared(table) or ["nothing"]
    figure, axes = new_figure(1, len(shared), PAGE_WIDTH, 2.5, sharey=True)
    for axis, key in zip(axes[0], shared, strict=True):
        for place, task in enumerate(theory.tasks):
            part = table[table["train_task"] == task]
            axis.scatter(
                part[key],
                part["sr"],
                s=22,
                marker="osD^"[place % 4],
                color=TASK_COLOURS[place % len(TASK_COLOURS)],
                alpha=0.8,
                linewidth=0,
                label=task_title(task),
            )
        axis.set(
            xlabel=SHARED_LABELS.get(key, key.capitalize()), xlim=(-0.06, 1.06), ylim=(0, 1.06)
        )
    axes[0, 0].set_ylabel("SR on the other task")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(theory.tasks), title="Trained on")
    return figure


def draw_horizons(theory: Theory) -> Figure:
    """How far both policies get along the expert's trajectory: the product of single turns, and episodes."""
    figure, axes = new_figure(1, len(theory.tasks), PAGE_WIDTH, 2.3, sharey=True)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        for policy in POLICIES:
            table = theory.horizons[policy, task]
            # Worlds differ in length: only horizons that most of them have.
            sizes = table.groupby("horizon").size()
            means = table.groupby("horizon")[["product", "observed"]].mean()[
                sizes > sizes.max() / 2
            ]
            colour = POLICY_COLOURS[policy]
            axis.plot(means.index, means["observed"], color=colour, label=label_policy(policy))
            axis.plot(means.index, means["product"], color=colour, linestyle=":")
        axis.set(title=task_title(task), xlabel="Steps of the sub-task")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("Success so far")
    axes[0, 0].plot([], [], color="black", label="Seen in episodes")
    axes[0, 0].plot([], [], color="black", linestyle=":", label="Product of single turns")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


FIGURES: dict[str, Callable[[Theory], Figure]] = {
    "theory_single": draw_single,
    "theory_recursion": draw_recursion,
    "theory_multi": draw_multi,
    "theory_horizons": draw_horizons,
    "theory_grid": draw_grid,
}
