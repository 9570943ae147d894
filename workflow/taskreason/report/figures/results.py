"""The figures of the report, each drawn from the result files that it needs and returned as a matplotlib figure.

Input: results/SCALE and the configuration; output: the figure, which `save_figure` writes as .pdf and .png without
dates. A policy or a task has the same colour in every figure.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.report.figures import style
from taskreason.report.figures.heat_maps import draw_grid
from taskreason.report.labels import label_policy, task_title
from taskreason.report.numbers.episode import choose_episode
from taskreason.report.published import load_published
from taskreason.report.results import Results, load_results
from taskreason.report.trainings import (
    GRPO_COLUMNS,
    SFT_COLUMNS,
    VALIDATION_COLUMNS,
    average_logs,
    read_training_log,
)


def make_figure(name: str, root: Path, cfg: Config) -> Figure:
    """The figure of that name, from what it needs of results/SCALE (``root``); UserError for an unknown one."""
    if name in CURVES:
        return draw_learning(_read_logs(root, cfg, CURVES[name]), CURVES[name])
    if name not in FROM_RESULTS:
        known = ", ".join([*CURVES, *FROM_RESULTS])
        raise UserError(f"figure '{name}': does not exist; choose one of {known}")
    return FROM_RESULTS[name](load_results(root, cfg, "figures", name))


@dataclass(frozen=True)
class Curves:
    """What is drawn of trainings. stage: of the log; panels: its columns and what they are called, row by row."""

    stage: str
    columns: Sequence[str]
    x: str
    panels: Mapping[str, str]
    rows: int = 1
    height: float = 2.3
    smooth: bool = True


CURVES = {
    "learning_sft": Curves(
        "sft",
        SFT_COLUMNS,
        "epoch",
        {"loss": "Loss (nats a token)", "mean_token_accuracy": "Token accuracy"},
    ),
    "learning_grpo": Curves(
        "grpo",
        GRPO_COLUMNS,
        "step",
        {
            "reward": "Mean reward",
            "kl": "KL to the SFT model (nats)",
            "zero_std_share": "Groups without variance",
            "entropy": "Entropy (nats a token)",
        },
        rows=2,
        height=3.9,
    ),
    "learning_validation": Curves(
        "grpo_validation",
        VALIDATION_COLUMNS,
        "step",
        {
            "training_states": "Right on training states",
            "unseen_states": "Right on unseen states",
            "sr": "SR in validation",
        },
        smooth=False,
    ),
}
X_LABELS = {"epoch": "Epoch", "step": "GRPO step"}
RANGES = {
    **dict.fromkeys(("zero_std_share", *VALIDATION_COLUMNS[1:]), (-0.02, 1.02)),
    "reward": (None, 1.02),
}
"""Ends of the axes of columns that are shares."""


def _read_logs(root: Path, cfg: Config, curves: Curves) -> dict[str, pd.DataFrame]:
    """The log of each task's training, averaged over its seeds step by step."""
    logs = {}
    for task in cfg.tasks:
        homes = [root / "training" / f"{task}{run}" for run in list_runs(cfg.seeds)]
        files = [home / f"{curves.stage}.csv" for home in homes]
        logs[task] = average_logs([read_training_log(file, curves.columns) for file in files])
    return logs


def draw_learning(logs: Mapping[str, pd.DataFrame], curves: Curves) -> Figure:
    """A panel for each column of the logs, in it a line for each task: a running mean, the raw values faint."""
    wide = len(curves.panels) // curves.rows
    figure, axes = style.new_figure(curves.rows, wide, style.PAGE_WIDTH, curves.height, sharex=True)
    for axis, (column, label) in zip(axes.flat, curves.panels.items(), strict=True):
        for number, (task, log) in enumerate(logs.items()):
            colour = style.TASK_COLOURS[number % len(style.TASK_COLOURS)]
            line = style.TASK_LINES[number % len(style.TASK_LINES)]
            known = log.dropna(subset=[curves.x, column])
            shown, few = known[column], not curves.smooth or len(known) == 1
            if curves.smooth:
                axis.plot(known[curves.x], shown, color=colour, linewidth=0.6, alpha=0.35)
                window = max(len(known) // 20, 1)
                shown = shown.rolling(window, min_periods=1, center=True).mean()
            look = {"marker": "." if few else None, "label": task_title(task)}
            axis.plot(known[curves.x], shown, color=colour, linestyle=line, **look)
        axis.set(ylabel=label, yscale="log" if column == "loss" else "linear")
        # Limits that are given, None among them, would keep those of a linear axis.
        if column in RANGES:
            axis.set_ylim(RANGES[column])
    for axis in axes[-1]:
        axis.set_xlabel(X_LABELS[curves.x])
    figure.align_ylabels()
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=max(len(logs), 1))
    return figure


def draw_success_rate(results: Results) -> Figure:
    """SR of every policy on every task with Wilson intervals; published SR as hollow markers."""
    figure, axes = style.new_figure(1, 1, style.PAGE_WIDTH, 2.6)
    axis, published = axes[0, 0], load_published(results.cfg.env)
    policies, tasks = results.main_policies, results.tasks
    cells = [[results.cell(policy, task).metrics for task in tasks] for policy in policies]
    rates = np.array([[cell.rate for cell in row] for row in cells])
    frame = pd.DataFrame(rates[:, :, 0].T, map(task_title, tasks), map(label_policy, policies))
    errors = np.abs(rates[:, :, 1:] - rates[:, :, :1]).transpose(0, 2, 1)
    frame.plot.bar(
        ax=axis,
        yerr=errors,
        color=[style.POLICY_COLOURS[policy] for policy in policies],
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
        diamonds = {"markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": "black"}
        axis.plot(
            *zip(*theirs, strict=True), "D", zorder=5, clip_on=False, label="Published", **diamonds
        )
    axis.set(ylabel="Success rate", ylim=(0, 1.04))
    axis.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=len(policies) + 1)
    return figure


def draw_steps_vs_optimal(results: Results) -> Figure:
    """Steps of successful episodes against the optimum; size shows how many episodes coincide."""
    columns = min(4, len(results.tasks))
    rows = -(-len(results.tasks) // columns)
    figure, axes = style.new_figure(rows, columns, style.PAGE_WIDTH, 2.2 * rows)
    policies = [
        policy
        for policy in results.main_policies
        if policy != "expert"
        and any(results.cell(policy, task).metrics.sr for task in results.tasks)
    ]
    for axis in axes.flat[len(results.tasks) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.flat, results.tasks, strict=False):
        timeout = results.cfg.timeout_of(task)
        optima = results.worlds[task]["optimal_steps"]
        ends = [min(optima.min(), timeout) - 1, max(optima.max(), timeout) + 1]
        axis.plot(ends, ends, color="black", linewidth=0.8, zorder=1)
        axis.axhline(timeout, color="black", linewidth=0.8, linestyle=":", zorder=1)
        if not any(results.cell(policy, task).metrics.sr for policy in policies):
            axis.text(0.5, 0.5, "no success", transform=axis.transAxes, ha="center", va="center")
        for number, policy in enumerate(policies):
            frame = results.episodes[results.key(policy, task)]
            won = frame[frame["success"]]
            counts = Counter(zip(won["optimal_steps"], won["steps"], strict=True))
            places = np.array(list(counts), dtype=float).reshape(-1, 2)
            # Side by side rather than on top of each other: the optimum is a whole number of steps.
            shift = 0.28 * (number - (len(policies) - 1) / 2)
            axis.scatter(
                places[:, 0] + shift,
                places[:, 1],
                s=7 * np.sqrt(list(counts.values())) + 4,
                edgecolor="black",
                linewidth=0.3,
                alpha=0.85,
                **_mark(policy),
            )
        axis.set(title=task_title(task), xlabel="Optimal steps")
        axis.set_xlim(optima.min() - 1, min(optima.max(), timeout) + 1)
        axis.set_ylim(optima.min() - 1, timeout + 1)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Steps taken")
    for policy in policies:
        axes[0, 0].plot([], [], linestyle="none", label=label_policy(policy), **_mark(policy))
    axes[0, 0].plot([], [], color="black", linewidth=0.8, label="Optimal")
    axes[0, 0].plot([], [], color="black", linewidth=0.8, linestyle=":", label="Timeout")
    figure.legend(loc="outside upper center", ncols=len(policies) + 2)
    return figure


def _mark(policy: str) -> dict[str, str]:
    return {"color": style.POLICY_COLOURS[policy], "marker": style.POLICY_MARKERS[policy]}


def draw_episode(results: Results) -> Figure:
    """One episode as the environment draws it, or as the list of its actions."""
    episode = choose_episode(results)
    style.apply_style()
    figure = results.cfg.env.draw_figure(episode.world, episode.actions)
    if figure is None:
        figure, axes = style.new_figure(1, 1, style.PAGE_WIDTH, 0.5 + 0.15 * len(episode.actions))
        axes[0, 0].axis("off")
        text = "\n".join(f"{n}. {action}" for n, action in enumerate(episode.actions, start=1))
        axes[0, 0].text(0, 1, text, va="top")
    ending = "reached" if episode.success else "not reached"
    figure.suptitle(
        f"{task_title(episode.task)}: goal {ending} in {episode.steps} steps, "
        f"shortest plan {episode.optimal_steps}",
        fontsize=8,
    )
    return figure


FROM_RESULTS: dict[str, Callable[[Results], Figure]] = {
    "success_rate": draw_success_rate,
    "generalization_sr": partial(draw_grid, metric="sr"),
    "generalization_asat": partial(draw_grid, metric="asat"),
    "generalization_asst": partial(draw_grid, metric="asst"),
    "steps_vs_optimal": draw_steps_vs_optimal,
    "kitchen": draw_episode,
}
