"""The 4 x 4 grids as heat maps, ours beside the published one, for each of the three metrics."""

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.figure import Figure
from seaborn.utils import relative_luminance

from taskreason.report.figures.style import PAGE_WIDTH, new_figure
from taskreason.report.labels import GRID_POLICY, break_title
from taskreason.report.published import Published
from taskreason.report.results import Results

GRID_LABELS = {
    "sr": "Success rate",
    "asat": "ASAT as a share of the timeout",
    "asst": "ASST as a share of the timeout",
}
DARK = "#262626"


def draw_grid(results: Results, published: Published, metric: str) -> Figure:
    """Our grid beside the published one; steps are coloured as shares of the task's timeout."""
    figure, axes = new_figure(1, 2, PAGE_WIDTH, 2.9)
    ours = {
        (train, evaluated): getattr(results.cell(GRID_POLICY, evaluated, train).metrics, metric)
        for train in results.tasks
        for evaluated in results.tasks
    }
    theirs = {place: getattr(cell, metric) for place, cell in published.grid.items()}
    shades = [_shade_grid(grid, metric, results) for grid in (ours, theirs)]
    # Steps fill the upper part of their range only; both panels share one scale.
    low = (
        0.0
        if metric == "sr"
        else min((float(np.nanmin(s)) for s in shades if np.isfinite(s).any()), default=0)
    )
    for axis, title, grid, shade in zip(
        axes[0], ["This reproduction", "Published"], [ours, theirs], shades, strict=True
    ):
        image = _draw_heat_map(axis, grid, shade, metric, min(low, 0.9), results.tasks)
        axis.set_title(title)
    axes[0, 0].set_ylabel("Trained on")
    axes[0, 1].set_yticklabels([])
    figure.colorbar(image, ax=list(axes[0]), label=GRID_LABELS[metric], shrink=0.85, pad=0.02)
    return figure


def _shade_grid(
    grid: dict[tuple[str, str], float | None], metric: str, results: Results
) -> np.ndarray:
    """Cells as shares, rows by training task: SR, or steps over the evaluated task's timeout."""
    shares = [
        [
            np.nan
            if grid.get((train_task, eval_task)) is None
            else grid[train_task, eval_task]
            / (1 if metric == "sr" else results.timeouts[eval_task])
            for eval_task in results.tasks
        ]
        for train_task in results.tasks
    ]
    return np.array(shares, dtype=float)


def _draw_heat_map(axis, grid, shade: np.ndarray, metric: str, low: float, tasks: Sequence[str]):
    # Bright is good in all three: a high SR, few steps.
    colours = "viridis" if metric == "sr" else "viridis_r"
    texts = [
        [format_cell(grid.get((train_task, eval_task)), metric) for eval_task in tasks]
        for train_task in tasks
    ]
    titles = [break_title(task) for task in tasks]
    seaborn.heatmap(
        shade,
        ax=axis,
        cmap=colours,
        vmin=low,
        vmax=1,
        cbar=False,
        xticklabels=titles,
        yticklabels=titles,
    )
    image = axis.collections[0]
    for place, share in np.ndenumerate(shade):
        axis.text(
            place[1] + 0.5,
            place[0] + 0.5,
            texts[place[0]][place[1]],
            ha="center",
            va="center",
            color=DARK if np.isnan(share) else choose_ink(image.to_rgba(share)),
        )
    axis.tick_params(length=0, labelsize=6, rotation=0)
    axis.set_xlabel("Evaluated on")
    axis.set_facecolor("#E5E5E5")
    return image


def choose_ink(ground: tuple[float, ...]) -> str:
    """White or dark, whichever has more contrast on a colour (WCAG's ratio of luminances)."""
    here, dark = relative_luminance(ground), relative_luminance(DARK)
    return DARK if (here + 0.05) ** 2 > 1.05 * (dark + 0.05) else "white"


def format_cell(value: float | None, metric: str) -> str:
    """A cell's number as it is printed: two digits for a rate, one for steps."""
    if value is None:
        return "–"
    return f"{value:.2f}" if metric == "sr" else f"{value:.1f}"
