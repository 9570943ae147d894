"""The figures of the report, each drawn from the result files that it needs and returned as a matplotlib figure.

Input: results/SCALE and the configuration; output: the figure, which `save_figure` writes as .pdf and .png. A policy or
a task has the same colour in every figure.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn
from matplotlib.figure import Figure
from seaborn.utils import relative_luminance

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.report import trainings as logs
from taskreason.report.figures import style
from taskreason.report.labels import GRID_POLICY, break_title, label_policy, task_title
from taskreason.report.numbers.episode import choose_episode
from taskreason.report.published import load_published
from taskreason.report.results import Results, load_results

CURVES = {
    "learning_sft": ("sft", logs.SFT_COLUMNS),
    "learning_grpo": ("grpo", logs.GRPO_COLUMNS),
    "learning_validation": ("grpo_validation", logs.VALIDATION_COLUMNS),
}
"""Stage and columns of the log of trainings that a figure draws."""
PANELS = {
    "loss": "Loss (nats a token)",
    "mean_token_accuracy": "Token accuracy",
    "reward": "Mean reward",
    "kl": "KL to the SFT model (nats)",
    "zero_std_share": "Groups without variance",
    "entropy": "Entropy (nats a token)",
    "training_states": "Right on training states",
    "unseen_states": "Right on unseen states",
    "sr": "SR in validation",
}
"""The columns that have a panel, in the order in which a figure shows its own."""
RANGES = dict.fromkeys(("zero_std_share", *logs.VALIDATION_COLUMNS[1:]), (-0.02, 1.02))
RANGES |= {"reward": (None, 1.02)}
"""Ends of the axes of columns that are shares."""
GRID_LABELS = {
    "sr": "Success rate",
    "asat": "ASAT as a share of the timeout",
    "asst": "ASST as a share of the timeout",
}
DARK = "#262626"
THIN = {"color": "black", "linewidth": 0.8}


def make_figure(name: str, root: Path, cfg: Config) -> Figure:
    """The figure of that name, from what it needs of results/SCALE (``root``); UserError for an unknown one."""
    if name in CURVES:
        return draw_learning(root, cfg, *CURVES[name])
    if name not in FROM_RESULTS:
        known = ", ".join([*CURVES, *FROM_RESULTS])
        raise UserError(f"figure '{name}': does not exist; choose one of {known}")
    return FROM_RESULTS[name](load_results(root, cfg, "figures", name))


def draw_learning(root: Path, cfg: Config, stage: str, columns: Sequence[str]) -> Figure:
    """A panel for each column of a stage's logs, in it each task's mean over seeds; raw values are faint."""
    panels = [column for column in PANELS if column in columns]
    rows, height = (2, 3.9) if len(panels) > 3 else (1, 2.3)
    x, x_label = ("epoch", "Epoch") if "epoch" in columns else ("step", "GRPO step")
    figure, axes = style.new_figure(rows, len(panels) // rows, height, sharex=True)
    for number, task in enumerate(cfg.tasks):
        homes = [root / "training" / f"{task}{run}" for run in list_runs(cfg.seeds)]
        files = [home / f"{stage}.csv" for home in homes]
        log = logs.average_logs([logs.read_training_log(file, columns) for file in files])
        look = {"color": style.TASK_COLOURS[number % 4]}
        for axis, column in zip(axes.flat, panels, strict=True):
            known = log.dropna(subset=[x, column])
            shown, smooth = known[column], stage != "grpo_validation"
            if smooth:
                axis.plot(known[x], shown, linewidth=0.6, alpha=0.35, **look)
                window = max(len(known) // 20, 1)
                shown = shown.rolling(window, min_periods=1, center=True).mean()
            dots = None if smooth and len(known) > 1 else "."
            line = style.TASK_LINES[number % 4]
            axis.plot(known[x], shown, line, marker=dots, label=task_title(task), **look)
    for axis, column in zip(axes.flat, panels, strict=True):
        axis.set(ylabel=PANELS[column], yscale="log" if column == "loss" else "linear")
        # Limits that are given, None among them, would keep those of a linear axis.
        if column in RANGES:
            axis.set_ylim(RANGES[column])
    for axis in axes[-1]:
        axis.set_xlabel(x_label)
    figure.align_ylabels()
    style.add_legend(figure, axes[0, 0], len(cfg.tasks))
    return figure


def draw_success_rate(results: Results) -> Figure:
    """SR of every policy on every task with Wilson intervals; published SR as hollow markers."""
    figure, axes = style.new_figure(1, 1, 2.6)
    axis, published = axes[0, 0], load_published(results.cfg.env)
    policies, tasks = results.main_policies, results.tasks
    rates = np.array([[results.cell(p, task).metrics.rate for task in tasks] for p in policies])
    frame = pd.DataFrame(rates[:, :, 0].T, map(task_title, tasks), map(label_policy, policies))
    frame.plot.bar(
        ax=axis,
        yerr=np.abs(rates[:, :, 1:] - rates[:, :, :1]).transpose(0, 2, 1),
        color=[style.COLOURS[policy] for policy in policies],
        width=0.8,
        rot=0,
        legend=False,
        error_kw={"capsize": 2, "linewidth": 0.8},
    )
    theirs = [
        (bar.get_x() + bar.get_width() / 2, cell.sr)
        for policy, bars in zip(policies, axis.containers[1::2], strict=True)
        for task, bar in zip(tasks, bars, strict=True)
        if (cell := published.main_cell(task, policy))
    ]
    if theirs:
        hollow = {"markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": "black"}
        places = zip(*theirs, strict=True)
        axis.plot(*places, "D", zorder=5, clip_on=False, label="Published", **hollow)
    axis.set(ylabel="Success rate", ylim=(0, 1.04))
    axis.grid(axis="x", visible=False)
    style.add_legend(figure, axis, len(policies) + 1)
    return figure


def draw_grid(results: Results, metric: str) -> Figure:
    """The grid over tasks, ours and the published one, as heat maps; steps are coloured as shares of the timeout."""
    tasks, published = results.tasks, load_published(results.cfg.env).grid
    ours = {(a, b): results.cell(GRID_POLICY, b, a).metrics for a in tasks for b in tasks}
    grids = [
        [[getattr(found.get((a, b)), metric, None) for b in tasks] for a in tasks]
        for found in (ours, published)
    ]
    grids = np.array(grids, dtype=float)
    shades = grids / [1 if metric == "sr" else results.cfg.timeout_of(task) for task in tasks]
    # Bright is good in all three: a high SR, few steps, which fill the upper part of their range only.
    low, colours, digits = 0.0, "viridis", 2
    if metric != "sr":
        low, colours, digits = np.nanmin([0.9, *shades.flat]), "viridis_r", 1
    figure, axes = style.new_figure(1, 2, 2.9)
    labels = dict.fromkeys(("xticklabels", "yticklabels"), list(map(break_title, tasks)))
    heads = ("This reproduction", "Published")
    for axis, head, grid, shade in zip(axes[0], heads, grids, shades, strict=True):
        seaborn.heatmap(shade, vmin=low, vmax=1, cmap=colours, ax=axis, cbar=False, **labels)
        image = axis.collections[0]
        for (row, column), value in np.ndenumerate(grid):
            text, ink = "–", DARK
            if not np.isnan(value):
                text = f"{value:.{digits}f}"
                ink = choose_ink(image.to_rgba(shade[row, column]))
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink)
        axis.tick_params(length=0, labelsize=6, rotation=0)
        axis.set(xlabel="Evaluated on", facecolor="#E5E5E5", title=head)
    axes[0, 0].set_ylabel("Trained on")
    axes[0, 1].set_yticklabels([])
    axes[0, 1].set_visible(bool(published))
    figure.colorbar(image, ax=list(axes[0]), label=GRID_LABELS[metric], shrink=0.85, pad=0.02)
    return figure


def choose_ink(ground: tuple[float, ...]) -> str:
    """White or dark, whichever has more contrast on a colour (WCAG's ratio of luminances)."""
    here, dark = relative_luminance(ground), relative_luminance(DARK)
    return DARK if (here + 0.05) ** 2 > 1.05 * (dark + 0.05) else "white"


def draw_steps_vs_optimal(results: Results) -> Figure:
    """Steps of successful episodes against the optimum; size shows how many episodes coincide."""
    columns = min(4, len(results.tasks))
    rows = -(-len(results.tasks) // columns)
    figure, axes = style.new_figure(rows, columns, 2.2 * rows)
    won = {key: frame[frame["success"]] for key, frame in results.episodes.items()}
    policies = [
        policy
        for policy in results.published_policies
        if policy != "expert" and any(len(won[results.key(policy, t)]) for t in results.tasks)
    ]
    for axis in axes.flat[len(results.tasks) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.flat, results.tasks, strict=False):
        timeout = results.cfg.timeout_of(task)
        optima = results.worlds[task]["optimal_steps"]
        ends = [min(optima.min(), timeout) - 1, max(optima.max(), timeout) + 1]
        axis.plot(ends, ends, zorder=1, **THIN)
        axis.axhline(timeout, linestyle=":", zorder=1, **THIN)
        if not any(len(won[results.key(policy, task)]) for policy in policies):
            axis.text(0.5, 0.5, "no success", transform=axis.transAxes, ha="center", va="center")
        for number, policy in enumerate(policies):
            pairs = won[results.key(policy, task)].groupby(["optimal_steps", "steps"], sort=False)
            counts = pairs.size().reset_index(name="episodes")
            # Side by side rather than on top of each other: the optimum is a whole number of steps.
            shift = 0.28 * (number - (len(policies) - 1) / 2)
            axis.scatter(
                counts["optimal_steps"] + shift,
                counts["steps"],
                s=7 * np.sqrt(counts["episodes"]) + 4,
                edgecolor="black",
                linewidth=0.3,
                alpha=0.85,
                **style.mark(policy),
            )
        axis.set(title=task_title(task), xlabel="Optimal steps")
        axis.set_xlim(optima.min() - 1, min(optima.max(), timeout) + 1)
        axis.set_ylim(optima.min() - 1, timeout + 1)
        for side in (axis.xaxis, axis.yaxis):
            side.get_major_locator().set_params(integer=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Steps taken")
    for policy in policies:
        axes[0, 0].plot([], [], linestyle="none", label=label_policy(policy), **style.mark(policy))
    axes[0, 0].plot([], [], label="Optimal", **THIN)
    axes[0, 0].plot([], [], linestyle=":", label="Timeout", **THIN)
    style.add_legend(figure, axes[0, 0], len(policies) + 2)
    return figure


def draw_episode(results: Results) -> Figure:
    """One episode as the environment draws it, or as the list of its actions."""
    episode = choose_episode(results)
    style.apply_style()
    figure = results.cfg.env.draw_figure(episode.world, episode.actions)
    if figure is None:
        figure, axes = style.new_figure(1, 1, 0.5 + 0.15 * len(episode.actions))
        axes[0, 0].axis("off")
        text = "\n".join(f"{n}. {action}" for n, action in enumerate(episode.actions, start=1))
        axes[0, 0].text(0, 1, text, va="top")
    ending = "reached" if episode.success else "not reached"
    steps = f"in {episode.steps} steps, shortest plan {episode.optimal_steps}"
    figure.suptitle(f"{task_title(episode.task)}: goal {ending} {steps}", fontsize=8)
    return figure


FROM_RESULTS: dict[str, Callable[[Results], Figure]] = {
    "success_rate": draw_success_rate,
    **{f"generalization_{metric}": partial(draw_grid, metric=metric) for metric in GRID_LABELS},
    "steps_vs_optimal": draw_steps_vs_optimal,
    "kitchen": draw_episode,
}
