"""The figures of the ablations: SR against the expert's data, and the course of GRPO on decisions and on episodes."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from taskreason.report.figures import style
from taskreason.report.labels import label_policy
from taskreason.report.tables.studies import LABELS, Ablations, make_points
from taskreason.studies.ablations import PLAIN

AXES = {
    "trajectories": "Expert trajectories",
    "noise": "Chance of a random action",
    "reward": "Rewarded action",
}
REWARDS = {"expert": "expert's", "optimal": "any optimal", "binary": "expert's, 0/1"}
POINTS = 9
"""Places along tokens or time at which the mean over seeds is drawn."""


def draw_data(ablations: Ablations) -> Figure:
    """SR after SFT and after GRPO against the number of trajectories, noise of the expert and what is rewarded."""
    cfg = ablations.cfg
    configured = {
        "trajectories": cfg.expert.trajectories,
        "noise": cfg.expert.noise,
        "reward": cfg.grpo.reward,
    }
    table = make_points(ablations).csv.set_index("study")
    figure, axes = style.new_figure(1, len(AXES), style.PAGE_WIDTH, 2.5, sharey=True)
    for axis, (kind, label) in zip(axes[0], AXES.items(), strict=True):
        names = [name for name in table.index if name.startswith(f"{kind}=")]
        values = {_read_value(name): name for name in names} | {configured[kind]: PLAIN}
        shown = sorted(values)
        rows = table.loc[[values[value] for value in shown]]
        places = [*range(len(shown))] if kind == "reward" else shown
        for number, policy in enumerate(("sft", "sft_grpo")):
            shift = 1.02 ** (2 * number - 1) if kind == "trajectories" else 1
            offset = {"trajectories": 0, "noise": 0.004, "reward": 0.03}[kind] * (2 * number - 1)
            error = [rows[policy] - rows[f"{policy}_low"], rows[f"{policy}_high"] - rows[policy]]
            axis.errorbar(
                [place * shift + offset for place in places],
                rows[policy],
                [part.clip(lower=0) for part in error],
                color=style.POLICY_COLOURS[policy],
                marker=style.POLICY_MARKERS[policy],
                markersize=4,
                linestyle="none" if kind == "reward" else "-",
                capsize=2,
                label=label_policy(policy),
            )
        if kind == "trajectories":
            axis.set_xscale("log")
            axis.set_xticks(places, [f"{place:g}" for place in places])
            axis.minorticks_off()
        if kind == "reward":
            axis.set_xticks(places, [REWARDS[value] for value in shown])
            axis.set_xlim(-0.5, len(places) - 0.5)
        axis.set(xlabel=label, ylim=(-0.02, 1.02))
    axes[0, 0].set_ylabel("Success rate")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _read_value(study: str) -> float | str:
    """What a study sets its setting to."""
    text = study.partition("=")[2]
    return text if text in REWARDS else float(text)


def draw_turns(ablations: Ablations) -> Figure:
    """SR in validation worlds against sampled tokens and against time: each seed thin, their mean thick."""
    figure, axes = style.new_figure(1, 2, style.PAGE_WIDTH, 2.5, sharey=True)
    for axis, (column, label, unit) in zip(
        axes[0],
        [("tokens", "Sampled tokens, thousands", 1000), ("seconds", "Minutes of GRPO", 60)],
        strict=True,
    ):
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
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


FIGURES: dict[str, Callable[[Ablations], Figure]] = {
    "ablation_data": draw_data,
    "ablation_turns": draw_turns,
}
