"""The figures of the studies: the theory measured, and the ablations.

Input: a `Theory` or `Ablations`; output: a figure. The theory's have a panel a task, but for its grid.
"""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taskreason.report.figures import style
from taskreason.report.labels import label_policy, task_title
from taskreason.report.tables.studies import (
    LABELS,
    Ablations,
    label_expert,
    make_experts,
    make_points,
)
from taskreason.report.tables.theory import Theory, make_grid
from taskreason.report.tables.theory_specs import POLICIES, list_shared
from taskreason.studies.ablations import PLAIN
from taskreason.theory.theorems import amplify, find_fixed_point

STEPS_SHOWN = (1, 2, 5)
"""Steps of the amplification recursion that are drawn."""
SHARED_LABELS = {
    "prefix": "Common beginning",
    "skills": "Known kinds",
    "length": "Length trained on",
}
CHOICES = {
    "trajectories": ("Expert trajectories", 0),
    "reward": ("Rewarded action", 0.03),
}
"""What is changed -> its axis, and how far to the side of its value SR is drawn."""
REWARDS = {"expert": "expert's", "optimal": "any optimal", "binary": "expert's, 0/1"}
LONGER_LOOK = {"color": style.TASK_COLOURS[0], "marker": "^"}
POINTS = 9
"""Places along tokens or time at which the mean over seeds is drawn."""


def _draw_tasks(theory: Theory, panels: tuple) -> Figure:
    """A panel a task, which ``draw(theory, axis, task)`` fills."""
    draw, x, y, height, columns = panels
    figure, axes = style.new_figure(1, len(theory.tasks), height, sharey=True)
    for axis, task in zip(axes[0], theory.tasks, strict=True):
        draw(theory, axis, task)
        axis.set(title=task_title(task), xlabel=x)
    axes[0, 0].set_ylabel(y)
    style.add_legend(figure, axes[0, 0], columns)
    return figure


def _draw_single(theory: Theory, axis: Axes, task: str) -> None:
    """Success of single replies at each expert state, before GRPO and after it, and what the recursion makes of it."""
    both = theory.pair("states", task, ["layout_hash", "place", "depth", "choices"])
    both = both[both["place"] == "expert"]
    places = [both[f"expert_{policy}"].astype(float) for policy in POLICIES]
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.8, label="No change")
    axis.scatter(*places, s=7, alpha=0.4, color=style.COLOURS[POLICIES[1]], linewidth=0)
    axis.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    if theory.beta:
        grid = p = np.linspace(0.001, 0.999, 400)
        grey = {"color": "#888888", "linewidth": 0.8}
        for step in range(1, max(STEPS_SHOWN) + 1):
            p = amplify(p, grid, theory.beta)
            if step in STEPS_SHOWN:
                axis.plot(grid, p, linestyle=":", **grey)
        steps = ", ".join(map(str, STEPS_SHOWN))
        axis.plot([], [], linestyle=":", label=f"{steps} steps of amplification", **grey)
        limit = find_fixed_point(grid, theory.beta)
        axis.plot(grid, limit, linestyle="--", label="Its fixed point", **grey)


def _draw_recursion(theory: Theory, axis: Axes, task: str) -> None:
    """Minimal-step success of each world: predicted by the recursion, and seen in episodes of their own."""
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axis.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    for policy in POLICIES:
        table, look = theory.worlds[policy, task], style.mark(policy)
        x, ends = table["predicted"], (table["range_low"], table["range_high"])
        axis.vlines(x, *ends, color=look["color"], alpha=0.3, linewidth=0.8)
        look |= {"alpha": 0.7, "linewidth": 0, "label": label_policy(policy)}
        axis.scatter(x, table["observed"], s=12, **look)


def _draw_multi(theory: Theory, axis: Axes, task: str) -> None:
    """P(s_t) along the expert's trajectory, by the steps still to go, with intervals over worlds."""
    for policy in POLICIES:
        table, colour = theory.along[policy, task], style.COLOURS[policy]
        # Worlds differ in length: only distances that most of them have.
        sizes = table.groupby("left").size()
        shown = sizes.index[sizes > sizes.max() / 2]
        found = [
            theory.bootstrap(part["success"], part["layout_hash"])
            for _, part in table[table["left"].isin(shown)].groupby("left")
        ]
        means, lows, highs = zip(*found, strict=True)
        axis.plot(shown, means, color=colour, label=label_policy(policy))
        axis.fill_between(shown, lows, highs, color=colour, alpha=0.15, linewidth=0)
    axis.invert_xaxis()
    axis.xaxis.get_major_locator().set_params(integer=True)


def _draw_horizons(theory: Theory, axis: Axes, task: str) -> None:
    """How far both policies get along the expert's trajectory: predicted from single turns, and seen in episodes."""
    for policy in POLICIES:
        horizons = theory.horizons[policy, task].groupby("horizon")
        # Worlds differ in length: only horizons that most of them have.
        most = horizons.size() > horizons.size().max() / 2
        means, colour = horizons[["predicted", "observed"]].mean()[most], style.COLOURS[policy]
        axis.plot(means.index, means["observed"], color=colour, label=label_policy(policy))
        axis.plot(means.index, means["predicted"], color=colour, linestyle=":")
    axis.plot([], [], color="black", label="Seen in episodes")
    axis.plot([], [], color="black", linestyle=":", label="Predicted from single turns")
    axis.xaxis.get_major_locator().set_params(integer=True)


def draw_grid(theory: Theory) -> Figure:
    """SR of every policy on the tasks that it was not trained on, against what the two tasks share."""
    # An environment that compares no tasks has one panel, in which they share nothing.
    table = make_grid(theory).assign(nothing=0.0)
    shared = list_shared(table) or ["nothing"]
    figure, axes = style.new_figure(1, len(shared), 2.5, sharey=True)
    for axis, key in zip(axes[0], shared, strict=True):
        for place, task in enumerate(theory.tasks):
            part = table[table["train_task"] == task]
            look = {"color": style.TASK_COLOURS[place % 4], "marker": style.TASK_MARKERS[place % 4]}
            look |= {"alpha": 0.8, "linewidth": 0, "label": task_title(task)}
            axis.scatter(part[key], part["sr"], s=22, **look)
        label = SHARED_LABELS.get(key, key.capitalize())
        axis.set(xlabel=label, xlim=(-0.06, 1.06), ylim=(0, 1.06))
    axes[0, 0].set_ylabel("SR on the other task")
    style.add_legend(figure, axes[0, 0], len(theory.tasks), title="Trained on")
    return figure


def draw_data(ablations: Ablations) -> Figure:
    """SR after SFT and after GRPO against the number of trajectories, and by what is rewarded."""
    cfg = ablations.cfg
    configured = (cfg.expert.trajectories, cfg.grpo.reward)
    table = make_points(ablations).csv.set_index("study")
    figure, axes = style.new_figure(1, len(CHOICES), 2.5, sharey=True)
    panels = zip(axes[0], configured, CHOICES.items(), strict=True)
    for axis, plain, (kind, (label, aside)) in panels:
        names = {_read_value(name): name for name in table.index if name.startswith(f"{kind}=")}
        names |= {plain: PLAIN}
        values = sorted(names)
        rows = table.loc[[names[value] for value in values]]
        places = np.arange(len(values)) if kind == "reward" else np.array(values)
        for policy, side in (("sft", -1), ("sft_grpo", 1)):
            # Values that are drawn on a scale of powers lie apart by a factor.
            factor = 1.02**side if kind == "trajectories" else 1
            error = [rows[policy] - rows[f"{policy}_low"], rows[f"{policy}_high"] - rows[policy]]
            axis.errorbar(
                places * factor + aside * side,
                rows[policy],
                [part.clip(lower=0) for part in error],
                markersize=4,
                linestyle="none" if kind == "reward" else "-",
                capsize=2,
                label=label_policy(policy),
                **style.mark(policy),
            )
        if kind == "trajectories":
            axis.set_xscale("log")
            axis.set_xticks(places, [f"{place:g}" for place in places])
            axis.minorticks_off()
        if kind == "reward":
            axis.set_xticks(places, [REWARDS[value] for value in values])
            axis.set_xlim(-0.5, len(places) - 0.5)
        axis.set(xlabel=label, ylim=(-0.02, 1.02))
    axes[0, 0].set_ylabel("Success rate")
    style.add_legend(figure, axes[0, 0], 2)
    return figure


def draw_experts(ablations: Ablations) -> Figure:
    """SR after SFT, longer SFT and SFT + GRPO, an expert a line."""
    table = make_experts(ablations).csv
    figure, axes = style.new_figure(1, 1, 0.8 + 0.28 * len(table))
    axis, places = axes[0, 0], np.arange(len(table))[::-1]
    for policy, aside in (("sft", 0.2), ("sft_longer", 0.0), ("sft_grpo", -0.2)):
        look = style.mark(policy) if policy in style.COLOURS else LONGER_LOOK
        error = [table[policy] - table[f"{policy}_low"], table[f"{policy}_high"] - table[policy]]
        axis.errorbar(
            table[policy],
            places + aside,
            xerr=[part.clip(lower=0) for part in error],
            markersize=4,
            linestyle="none",
            capsize=2,
            label=label_policy(policy),
            **look,
        )
    axis.set_yticks(places, [label_expert(expert) for expert in table["expert"]])
    axis.set(xlabel="Success rate", xlim=(-0.02, 1.02))
    style.add_legend(figure, axis, 3)
    return figure


def _read_value(study: str) -> float | str:
    """What a study sets its setting to."""
    text = study.partition("=")[2]
    return text if text in REWARDS else float(text)


def draw_turns(ablations: Ablations) -> Figure:
    """SR in validation worlds against sampled tokens and against time: each seed thin, their mean thick."""
    figure, axes = style.new_figure(1, 2, 2.5, sharey=True)
    spent = [("tokens", "Sampled tokens, thousands", 1000), ("seconds", "Minutes of GRPO", 60)]
    for axis, (column, label, unit) in zip(axes[0], spent, strict=True):
        for number, turns in enumerate(dict.fromkeys(turns for turns, _ in ablations.runs)):
            runs = [run for (kind, _), run in ablations.runs.items() if kind == turns]
            colour = style.TASK_COLOURS[number]
            for run in runs:
                axis.plot(run[column] / unit, run["sr"], color=colour, linewidth=0.7, alpha=0.5)
            # Validations of different seeds come after different numbers of tokens.
            places = np.linspace(0, min(run[column].max() for run in runs), POINTS)
            mean = np.mean([np.interp(places, run[column], run["sr"]) for run in runs], axis=0)
            axis.plot(places / unit, mean, color=colour, label=LABELS[turns], marker=".")
        axis.set(xlabel=label)
    axes[0, 0].set_ylabel(f"SR, validation {ablations.cfg.env.worlds}")
    style.add_legend(figure, axes[0, 0], 2)
    return figure


BEFORE, AFTER = (f"Right, {label_policy(policy)}" for policy in POLICIES)
PANELS = {
    "theory_single": (_draw_single, BEFORE, AFTER, 2.45, 3),
    "theory_recursion": (_draw_recursion, "Predicted", "Seen in episodes", 2.4, 2),
    "theory_multi": (_draw_multi, "Steps to go", "Success from here", 2.3, 2),
    "theory_horizons": (_draw_horizons, "Steps of the sub-task", "Success so far", 2.3, 4),
}
"""What fills a panel, the labels of its axes, the height of the figure, the columns of its legend."""
THEORY_FIGURES = {name: partial(_draw_tasks, panels=panels) for name, panels in PANELS.items()}
THEORY_FIGURES["theory_grid"] = draw_grid
ABLATION_FIGURES = {
    "ablation_data": draw_data,
    "ablation_experts": draw_experts,
    "ablation_turns": draw_turns,
}
