"""The figures of the map of regimes, and of whose states are trained on.

Input: the rows of the table of the same name; output: a figure.
"""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import theilslopes

from taskreason.report.figures import style
from taskreason.report.tables.states import label_arm
from taskreason.studies.states import START

COLOURS = "PuOr_r"
NOISE_COLOURS = "flare"
EPOCH_MARKERS = "oDs^v"
KINDS = {"expert": "Expert's states", "failed": "States of failed episodes"}


def draw_map(rows: pd.DataFrame) -> Figure:
    """GRPO's gain over longer SFT by thought noise and trajectories; a panel for each number of epochs and of steps.

    A star stands where the interval leaves out zero; what was not trained is grey, or has no panel.
    """
    epochs, steps = (sorted(rows[key].unique()) for key in ("epochs", "steps"))
    figure, axes = style.new_figure(len(steps), len(epochs), 0.5 + 1.7 * len(steps))
    limit = max(0.05, rows["gain"].abs().max())
    for line, number in zip(axes, steps, strict=True):
        for axis, before in zip(line, epochs, strict=True):
            part = rows[(rows["steps"] == number) & (rows["epochs"] == before)]
            axis.set_visible(not part.empty)
            if not part.empty:
                _draw_panel(axis, part, rows, limit)
                axis.set_title(f"{_name_epochs(before)}, {number} steps")
        next(axis for axis in line if axis.get_visible()).set_ylabel("Thought noise")
    image = next(axis.collections[0] for axis in axes.flat if axis.collections)
    figure.colorbar(
        image, ax=list(axes.flat), label="Gain of GRPO over longer SFT, SR", shrink=0.85
    )
    return figure


def _draw_panel(axis: Axes, part: pd.DataFrame, rows: pd.DataFrame, limit: float) -> None:
    down, right = (sorted(rows[key].unique()) for key in ("thought_noise", "trajectories"))
    at = part.set_index(["thought_noise", "trajectories"])
    cells = pd.MultiIndex.from_product([down, right])
    grid = at["gain"].reindex(cells).unstack().loc[down, right]
    sure = ((at["gain_low"] > 0) | (at["gain_high"] < 0)).reindex(cells, fill_value=False)
    stars = sure.unstack().loc[down, right].to_numpy()
    texts = [
        [
            "" if np.isnan(gain) else f"{gain:+.2f}{'*' if star else ''}"
            for gain, star in zip(*line, strict=True)
        ]
        for line in zip(grid.to_numpy(), stars, strict=True)
    ]
    seaborn.heatmap(
        grid,
        vmin=-limit,
        vmax=limit,
        cmap=COLOURS,
        annot=np.array(texts),
        fmt="",
        annot_kws={"size": 7},
        cbar=False,
        ax=axis,
    )
    axis.tick_params(length=0, rotation=0)
    axis.set(xlabel="Trajectories", ylabel="", facecolor="#E5E5E5")
    axis.grid(False)


def draw_spread(rows: pd.DataFrame) -> Figure:
    """GRPO's gain over longer SFT against the share of groups with spread in its first steps, a mark a cell.

    Colours: thought noise; marks: epochs of SFT before, hollow where GRPO took more than the fewest steps. The line is
    Theil and Sen's through the cells with the fewest.
    """
    figure, axes = style.new_figure(1, 1, 3.0)
    axis = axes[0, 0]
    axis.axhline(0, color="black", linewidth=0.8)
    noises, epochs = (sorted(rows[key].unique()) for key in ("thought_noise", "epochs"))
    colours = dict(zip(noises, seaborn.color_palette(NOISE_COLOURS, len(noises)), strict=True))
    marks = dict(zip(epochs, (EPOCH_MARKERS * len(epochs))[: len(epochs)], strict=True))
    fewest = rows["steps"].min()
    for row in rows.itertuples():
        colour = colours[row.thought_noise]
        axis.errorbar(
            row.spread,
            row.gain,
            [[max(0.0, row.gain - row.gain_low)], [max(0.0, row.gain_high - row.gain)]],
            color=colour,
            marker=marks[row.epochs],
            markerfacecolor=colour if row.steps == fewest else "white",
            markersize=4,
            linewidth=0.7,
            alpha=0.85,
        )
    short = rows[rows["steps"] == fewest]
    if short["spread"].nunique() > 1:
        slope, intercept, *_ = theilslopes(short["gain"], short["spread"])
        ends = np.array([short["spread"].min(), short["spread"].max()])
        axis.plot(ends, intercept + slope * ends, color="#888888", linestyle="--")
    axis.set(xlabel="Share of groups with spread", ylabel="Gain of GRPO over longer SFT, SR")
    point = {"linestyle": "none", "markersize": 4}
    handles = [
        Line2D([], [], color=colours[noise], marker="o", label=f"Thought noise {noise:g}", **point)
        for noise in noises
    ]
    handles += [
        Line2D([], [], color="#555555", marker=mark, label=_name_epochs(before), **point)
        for before, mark in marks.items()
    ]
    handles += [
        Line2D(
            [],
            [],
            color="#555555",
            marker="o",
            markerfacecolor="#555555" if number == fewest else "white",
            label=f"{number} steps",
            **point,
        )
        for number in sorted(rows["steps"].unique())
    ]
    columns = max(len(noises), len(handles) - len(noises))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)
    return figure


def _name_epochs(epochs: float) -> str:
    return f"SFT of {epochs:g} {'epoch' if epochs == 1 else 'epochs'}" if epochs else "No SFT"


def draw_states(rows: pd.DataFrame) -> Figure:
    """SR of each kind of training, and its share of right single replies in two kinds of states."""
    figure, (axes,) = style.new_figure(1, 2, 2.6, sharey=True)
    places = np.arange(len(rows))[::-1]
    start = rows.set_index("arm").loc[START]
    _draw_rates(axes[0], rows, "sr", places, style.COLOURS["sft_grpo"])
    axes[0].axvline(start["sr"], color="black", linewidth=0.8, linestyle=":")
    for number, (key, label) in enumerate(KINDS.items()):
        aside = places + 0.12 - 0.24 * number
        _draw_rates(axes[1], rows, key, aside, style.TASK_COLOURS[number], label)
    axes[0].set_yticks(places, [label_arm(arm) for arm in rows["arm"]])
    axes[0].set_xlabel("Success rate")
    axes[1].set_xlabel("Single replies that begin a shortest plan")
    style.add_legend(figure, axes[1], 2)
    return figure


def _draw_rates(axis: Axes, rows: pd.DataFrame, key: str, places, colour: str, label="") -> None:
    """Rates along an axis, with their intervals."""
    error = [rows[key] - rows[f"{key}_low"], rows[f"{key}_high"] - rows[key]]
    axis.errorbar(
        rows[key],
        places,
        xerr=[side.clip(lower=0) for side in error],
        color=colour,
        marker="o",
        markersize=4,
        linestyle="none",
        capsize=2,
        label=label,
    )


REGIME_FIGURES = {"regimes_map": draw_map, "regimes_spread": draw_spread}
