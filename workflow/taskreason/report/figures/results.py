"""The figures of the report, each drawn from result files and returned as a matplotlib figure.

Input: results/SCALE, the tasks, their timeouts and the published numbers; output: the figure, which
`save_figure` writes as .pdf and .png without dates. A policy or a task has the same colour in every
figure.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.environments.robotouille.drawing import draw_kitchen
from taskreason.report.episode_choice import choose_episode
from taskreason.report.figures.heat_maps import draw_grid
from taskreason.report.figures.style import (
    PAGE_WIDTH,
    POLICY_COLOURS,
    POLICY_MARKERS,
    TASK_COLOURS,
    TASK_LINES,
    new_figure,
)
from taskreason.report.labels import POLICIES, label_policy, task_title
from taskreason.report.published import Published
from taskreason.report.results import Results, load_results
from taskreason.report.training_logs import (
    GRPO_COLUMNS,
    SFT_COLUMNS,
    VALIDATION_COLUMNS,
    average_logs,
    read_training_log,
)

OTHER_COLOUR = "#CC79A7"  # a policy beyond the paper's four


@dataclass(frozen=True)
class FigureSources:
    """What a figure may be drawn from; each figure reads only the files that it shows.

    root: results/SCALE; drawn_task: the task whose kitchen is drawn; policies: those whose episodes are there
    """

    root: Path
    tasks: Sequence[str]
    timeouts: Mapping[str, int]
    published: Published
    confidence: float
    drawn_task: str
    seeds: Sequence[int] = (0,)
    policies: Sequence[str] = POLICIES

    def load_results(self) -> Results:
        return load_results(
            self.root, self.tasks, self.timeouts, self.policies, self.confidence, self.seeds
        )

    def read_logs(self, stage: str, columns: list[str]) -> dict[str, pd.DataFrame]:
        """The log of each task's training, averaged over its seeds step by step."""
        return {
            task: average_logs(
                [
                    read_training_log(
                        self.root / "training" / f"{task}{run}" / f"{stage}.csv", columns
                    )
                    for run in list_runs(self.seeds)
                ]
            )
            for task in self.tasks
        }


def make_figure(name: str, sources: FigureSources) -> Figure:
    """The figure of that name; raises UserError for an unknown one."""
    if name not in FIGURES:
        raise UserError(f"figure '{name}': does not exist; choose one of {', '.join(FIGURES)}")
    return FIGURES[name](sources)


def draw_learning_sft(logs: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss and token accuracy of SFT over epochs, one line a task."""
    figure, axes = new_figure(1, 2, PAGE_WIDTH, 2.3)
    for axis, column, label in zip(
        axes[0],
        ["loss", "mean_token_accuracy"],
        ["Loss (nats a token)", "Token accuracy"],
        strict=True,
    ):
        _draw_curves(axis, logs, "epoch", column)
        axis.set(xlabel="Epoch", ylabel=label)
    axes[0, 0].set_yscale("log")
    _label_tasks(figure, axes[0, 0], logs)
    return figure


def draw_learning_grpo(logs: Mapping[str, pd.DataFrame]) -> Figure:
    """Reward, KL to the SFT model, share of groups without variance, and entropy, by GRPO step."""
    figure, axes = new_figure(2, 2, PAGE_WIDTH, 3.9, sharex=True)
    panels = {
        "reward": "Mean reward",
        "kl": "KL to the SFT model (nats)",
        "zero_std_share": "Groups without variance",
        "entropy": "Entropy (nats a token)",
    }
    for axis, (column, label) in zip(axes.flat, panels.items(), strict=True):
        _draw_curves(axis, logs, "step", column)
        axis.set(ylabel=label)
    for axis in axes[1]:
        axis.set(xlabel="GRPO step")
    axes[0, 0].set_ylim(top=1.02)
    axes[1, 0].set_ylim(-0.02, 1.02)
    figure.align_ylabels()
    _label_tasks(figure, axes[0, 0], logs)
    return figure


def draw_learning_validation(logs: Mapping[str, pd.DataFrame]) -> Figure:
    """Greedy accuracy on training states and on unseen ones, and SR in validation kitchens, by GRPO step."""
    figure, axes = new_figure(1, 3, PAGE_WIDTH, 2.3, sharex=True, sharey=True)
    panels = {
        "training_states": "Right on training states",
        "unseen_states": "Right on unseen states",
        "sr": "SR, validation kitchens",
    }
    for axis, (column, label) in zip(axes[0], panels.items(), strict=True):
        for number, (task, log) in enumerate(logs.items()):
            axis.plot(
                log["step"],
                log[column],
                color=TASK_COLOURS[number % len(TASK_COLOURS)],
                linestyle=TASK_LINES[number % len(TASK_LINES)],
                marker=".",
                label=task_title(task),
            )
        axis.set(xlabel="GRPO step", ylabel=label, ylim=(-0.02, 1.02))
    _label_tasks(figure, axes[0, 0], logs)
    return figure


def draw_success_rate(results: Results, published: Published) -> Figure:
    """SR of every policy on every task with Wilson intervals; published SR as hollow markers."""
    figure, axes = new_figure(1, 1, PAGE_WIDTH, 2.6)
    axis = axes[0, 0]
    width = 0.8 / len(results.main_policies)
    diamonds = {
        "marker": "D",
        "linestyle": "none",
        "markersize": 4.5,
        "markerfacecolor": "white",
        "markeredgecolor": "black",
        "markeredgewidth": 0.9,
    }
    printed = False
    for number, policy in enumerate(results.main_policies):
        offset = (number - (len(results.main_policies) - 1) / 2) * width
        colour = POLICY_COLOURS.get(policy, OTHER_COLOUR)
        for position, task in enumerate(results.tasks):
            metrics = results.cell(policy, task).metrics
            # max: rounding can put an end of the interval beyond the estimate in the last digit
            errors = [[max(metrics.sr - metrics.sr_low, 0)], [max(metrics.sr_high - metrics.sr, 0)]]
            axis.bar(
                position + offset,
                metrics.sr,
                width * 0.92,
                color=colour,
                label=label_policy(policy) if position == 0 else None,
            )
            axis.errorbar(
                position + offset, metrics.sr, yerr=errors, color="black", capsize=2, linewidth=0.8
            )
            theirs = published.main_cell(task, policy)
            if theirs:
                axis.plot(position + offset, theirs.sr, zorder=5, clip_on=False, **diamonds)
                printed = True
    if printed:
        axis.plot([], [], label="Published", **diamonds)
    axis.set_xticks(range(len(results.tasks)), [task_title(task) for task in results.tasks])
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
        timeout = results.timeouts[task]
        optima = results.kitchens[task]["optimal_steps"]
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
                color=POLICY_COLOURS.get(policy, OTHER_COLOUR),
                edgecolor="black",
                linewidth=0.3,
                marker=POLICY_MARKERS.get(policy, "^"),
                alpha=0.85,
            )
        axis.set(title=task_title(task), xlabel="Optimal steps")
        axis.set_xlim(optima.min() - 1, min(optima.max(), timeout) + 1)
        axis.set_ylim(optima.min() - 1, timeout + 1)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Steps taken")
    for policy in policies:
        axes[0, 0].plot(
            [],
            [],
            linestyle="none",
            marker=POLICY_MARKERS.get(policy, "^"),
            color=POLICY_COLOURS.get(policy, OTHER_COLOUR),
            label=label_policy(policy),
        )
    axes[0, 0].plot([], [], color="black", linewidth=0.8, label="Optimal")
    axes[0, 0].plot([], [], color="black", linewidth=0.8, linestyle=":", label="Timeout")
    figure.legend(loc="outside upper center", ncols=len(policies) + 2)
    return figure


def _draw_curves(axis, logs: Mapping[str, pd.DataFrame], x: str, column: str) -> None:
    """One line a task: a running mean over a twentieth of the steps, the raw values faint."""
    for number, (task, log) in enumerate(logs.items()):
        known = log.dropna(subset=[x, column])
        colour = TASK_COLOURS[number % len(TASK_COLOURS)]
        mean = known[column].rolling(max(len(known) // 20, 1), min_periods=1, center=True).mean()
        axis.plot(known[x], known[column], color=colour, linewidth=0.6, alpha=0.35)
        axis.plot(
            known[x],
            mean,
            color=colour,
            linestyle=TASK_LINES[number % len(TASK_LINES)],
            label=task_title(task),
            marker="." if len(known) == 1 else None,
        )


def _label_tasks(figure: Figure, axis, logs: Mapping[str, pd.DataFrame]) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=max(len(logs), 1))


def _draw_kitchen_of_episode(sources: FigureSources) -> Figure:
    results = sources.load_results()
    episode = choose_episode(results, sources.drawn_task)
    figure = draw_kitchen(episode.layout, episode.actions)
    ending = "reached" if episode.success else "not reached"
    figure.suptitle(
        f"{task_title(episode.task)}: goal {ending} in {episode.steps} steps, "
        f"shortest plan {episode.optimal_steps}",
        fontsize=8,
    )
    return figure


FIGURES: dict[str, Callable[[FigureSources], Figure]] = {
    "learning_sft": lambda s: draw_learning_sft(s.read_logs("sft", SFT_COLUMNS)),
    "learning_grpo": lambda s: draw_learning_grpo(s.read_logs("grpo", GRPO_COLUMNS)),
    "learning_validation": lambda s: draw_learning_validation(
        s.read_logs("grpo_validation", VALIDATION_COLUMNS)
    ),
    "success_rate": lambda s: draw_success_rate(s.load_results(), s.published),
    "generalization_sr": lambda s: draw_grid(s.load_results(), s.published, "sr"),
    "generalization_asat": lambda s: draw_grid(s.load_results(), s.published, "asat"),
    "generalization_asst": lambda s: draw_grid(s.load_results(), s.published, "asst"),
    "steps_vs_optimal": lambda s: draw_steps_vs_optimal(s.load_results()),
    "kitchen": _draw_kitchen_of_episode,
}
