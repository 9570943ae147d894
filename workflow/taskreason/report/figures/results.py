"""The figures of the report, each drawn from the result files that it needs and returned as a matplotlib figure.

Input: results/SCALE and the configuration; output: the figure, which `save_figure` writes as .pdf and .png without
dates. A policy or a task has the same colour in every figure.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.report.figures.heat_maps import draw_grid
from taskreason.report.figures.style import (
    PAGE_WIDTH,
    POLICY_COLOURS,
    POLICY_MARKERS,
    TASK_COLOURS,
    TASK_LINES,
    apply_style,
    new_figure,
)
from taskreason.report.labels import label_policy, task_title
from taskreason.report.numbers.episode import choose_episode
from taskreason.report.published import load_published
from taskreason.report.results import Results, load_results
from taskreason.report.training_logs import (
    GRPO_COLUMNS,
    SFT_COLUMNS,
    VALIDATION_COLUMNS,
    average_logs,
    read_training_log,
)

Logs = Mapping[str, pd.DataFrame]
"""The log of each task's training, averaged over its seeds step by step."""


def make_figure(name: str, root: Path, cfg: Config) -> Figure:
    """The figure of that name, from what it needs of results/SCALE (``root``); UserError for an unknown one."""
    if name in FROM_LOGS:
        draw, stage, columns = FROM_LOGS[name]
        return draw(_read_logs(root, cfg, stage, columns))
    if name not in FROM_RESULTS:
        known = ", ".join([*FROM_LOGS, *FROM_RESULTS])
        raise UserError(f"figure '{name}': does not exist; choose one of {known}")
    return FROM_RESULTS[name](load_results(root, cfg, "figures", name))


def _read_logs(root: Path, cfg: Config, stage: str, columns: list[str]) -> Logs:
    folder, runs = root / "training", list_runs(cfg.seeds)
    return {
        task: average_logs(
            [read_training_log(folder / f"{task}{run}" / f"{stage}.csv", columns) for run in runs]
        )
        for task in cfg.tasks
    }


def draw_learning_sft(logs: Logs) -> Figure:
    """Loss and token accuracy of SFT over epochs, one line a task."""
    panels = {"loss": "Loss (nats a token)", "mean_token_accuracy": "Token accuracy"}
    figure, axes = new_figure(1, 2, PAGE_WIDTH, 2.3)
    _draw_panels(figure, axes, logs, panels, ("epoch", "Epoch"), _draw_curve)
    axes[0, 0].set_yscale("log")
    return figure


def draw_learning_grpo(logs: Logs) -> Figure:
    """Reward, KL to the SFT model, share of groups without variance, and entropy, by GRPO step."""
    panels = {
        "reward": "Mean reward",
        "kl": "KL to the SFT model (nats)",
        "zero_std_share": "Groups without variance",
        "entropy": "Entropy (nats a token)",
    }
    figure, axes = new_figure(2, 2, PAGE_WIDTH, 3.9, sharex=True)
    _draw_panels(figure, axes, logs, panels, ("step", "GRPO step"), _draw_curve)
    axes[0, 0].set_ylim(top=1.02)
    axes[1, 0].set_ylim(-0.02, 1.02)
    return figure


def draw_learning_validation(logs: Logs) -> Figure:
    """Greedy accuracy on training states and on unseen ones, and SR in validation worlds, by GRPO step."""
    panels = {
        "training_states": "Right on training states",
        "unseen_states": "Right on unseen states",
        "sr": "SR in validation",
    }
    figure, axes = new_figure(1, 3, PAGE_WIDTH, 2.3, sharex=True, sharey=True)
    _draw_panels(figure, axes, logs, panels, ("step", "GRPO step"), _draw_points)
    axes[0, 0].set_ylim(-0.02, 1.02)
    return figure


def _draw_panels(
    figure: Figure,
    axes: np.ndarray,
    logs: Logs,
    panels: Mapping[str, str],
    x: tuple[str, str],
    draw: Callable[..., None],
) -> None:
    """A panel for each column of the logs, a line in it for each task; x: column and label."""
    for axis, (column, label) in zip(axes.flat, panels.items(), strict=True):
        for number, (task, log) in enumerate(logs.items()):
            style = {
                "color": TASK_COLOURS[number % len(TASK_COLOURS)],
                "linestyle": TASK_LINES[number % len(TASK_LINES)],
                "label": task_title(task),
            }
            draw(axis, log, x[0], column, style)
        axis.set_ylabel(label)
    for axis in axes[-1]:
        axis.set_xlabel(x[1])
    figure.align_ylabels()
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=max(len(logs), 1))


def _draw_curve(axis, log: pd.DataFrame, x: str, column: str, style: Mapping) -> None:
    """A running mean over a twentieth of the steps, the raw values faint."""
    known = log.dropna(subset=[x, column])
    mean = known[column].rolling(max(len(known) // 20, 1), min_periods=1, center=True).mean()
    axis.plot(known[x], known[column], color=style["color"], linewidth=0.6, alpha=0.35)
    axis.plot(known[x], mean, marker="." if len(known) == 1 else None, **style)


def _draw_points(axis, log: pd.DataFrame, x: str, column: str, style: Mapping) -> None:
    axis.plot(log[x], log[column], marker=".", **style)


def draw_success_rate(results: Results) -> Figure:
    """SR of every policy on every task with Wilson intervals; published SR as hollow markers."""
    figure, axes = new_figure(1, 1, PAGE_WIDTH, 2.6)
    axis, published = axes[0, 0], load_published(results.cfg.env)
    width = 0.8 / len(results.main_policies)
    diamonds = {"marker": "D", "linestyle": "none", "markersize": 4.5, "markerfacecolor": "white"}
    diamonds |= {"markeredgecolor": "black", "markeredgewidth": 0.9}
    places = np.arange(len(results.tasks))
    theirs = []
    for number, policy in enumerate(results.main_policies):
        rates = np.array([results.cell(policy, task).metrics.rate for task in results.tasks])
        middle = places + (number - (len(results.main_policies) - 1) / 2) * width
        axis.bar(
            middle,
            rates[:, 0],
            width * 0.92,
            color=POLICY_COLOURS[policy],
            label=label_policy(policy),
        )
        # Rounding can put an end of the interval beyond the estimate in the last digit.
        errors = np.maximum([rates[:, 0] - rates[:, 1], rates[:, 2] - rates[:, 0]], 0)
        axis.errorbar(
            middle, rates[:, 0], yerr=errors, color="black", capsize=2, linewidth=0.8, fmt="none"
        )
        cells = [published.main_cell(task, policy) for task in results.tasks]
        theirs += [(x, cell.sr) for x, cell in zip(middle, cells, strict=True) if cell]
    if theirs:
        axis.plot(
            *zip(*theirs, strict=True), zorder=5, clip_on=False, label="Published", **diamonds
        )
    axis.set_xticks(places, map(task_title, results.tasks))
    axis.set(ylabel="Success rate", ylim=(0, 1.04))
    axis.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=len(results.main_policies) + 1)
    return figure


def draw_steps_vs_optimal(results: Results) -> Figure:
    """Steps of successful episodes against the optimum; size shows how many episodes coincide."""
    columns = min(4, len(results.tasks))
    rows = -(-len(results.tasks) // columns)
    figure, axes = new_figure(rows, columns, PAGE_WIDTH, 2.2 * rows)
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
    return {"color": POLICY_COLOURS[policy], "marker": POLICY_MARKERS[policy]}


def draw_episode(results: Results) -> Figure:
    """One episode as the environment draws it, or as the list of its actions."""
    episode = choose_episode(results)
    apply_style()
    figure = results.cfg.env.draw_figure(episode.world, episode.actions)
    if figure is None:
        figure, axes = new_figure(1, 1, PAGE_WIDTH, 0.5 + 0.15 * len(episode.actions))
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


FROM_LOGS: dict[str, tuple[Callable[[Logs], Figure], str, list[str]]] = {
    "learning_sft": (draw_learning_sft, "sft", SFT_COLUMNS),
    "learning_grpo": (draw_learning_grpo, "grpo", GRPO_COLUMNS),
    "learning_validation": (draw_learning_validation, "grpo_validation", VALIDATION_COLUMNS),
}
FROM_RESULTS: dict[str, Callable[[Results], Figure]] = {
    "success_rate": draw_success_rate,
    "generalization_sr": partial(draw_grid, metric="sr"),
    "generalization_asat": partial(draw_grid, metric="asat"),
    "generalization_asst": partial(draw_grid, metric="asst"),
    "steps_vs_optimal": draw_steps_vs_optimal,
    "kitchen": draw_episode,
}
