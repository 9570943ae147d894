"""The 4 x 4 grids as heat maps, ours and the published one, for each of the three metrics."""

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.figure import Figure
from seaborn.utils import relative_luminance

from taskreason.report.figures import style
from taskreason.report.labels import GRID_POLICY, break_title
from taskreason.report.published import load_published
from taskreason.report.results import Results

GRID_LABELS = {
    "sr": "Success rate",
    "asat": "ASAT as a share of the timeout",
    "asst": "ASST as a share of the timeout",
}
DARK = "#262626"


def draw_grid(results: Results, metric: str) -> Figure:
    """Our grid and the published one, where there is one; steps are coloured as shares of the task's timeout."""
    published = load_published(results.cfg.env).grid
    tasks = results.tasks
    cells = {
        (train_task, task): results.cell(GRID_POLICY, task, train_task).metrics
        for train_task in tasks
        for task in tasks
    }
    grids = [
        np.array(
            [[getattr(found.get((a, b)), metric, None) for b in tasks] for a in tasks], dtype=float
        )
        for found in (cells, published)
    ]
    over = [1 if metric == "sr" else results.cfg.timeout_of(task) for task in tasks]
    known = [grid / over for grid in grids if np.isfinite(grid).any()]
    # Steps fill the upper part of their range only; both panels share one scale.
    low = 0.0 if metric == "sr" else min([0.9, *(float(np.nanmin(shade)) for shade in known)])
    figure, axes = style.new_figure(1, 2, style.PAGE_WIDTH, 2.9)
    for axis, title, grid in zip(axes[0], ["This reproduction", "Published"], grids, strict=True):
        image = _draw_heat_map(axis, grid, grid / over, metric, low, tasks)
        axis.set_title(title)
    axes[0, 0].set_ylabel("Trained on")
    axes[0, 1].set_yticklabels([])
    axes[0, 1].set_visible(bool(published))
    figure.colorbar(image, ax=list(axes[0]), label=GRID_LABELS[metric], shrink=0.85, pad=0.02)
    return figure


def _draw_heat_map(
    axis, grid: np.ndarray, shade: np.ndarray, metric: str, low: float, tasks: Sequence[str]
):
    titles = [break_title(task) for task in tasks]
    seaborn.heatmap(
        shade,
        ax=axis,
        # Bright is good in all three: a high SR, few steps.
        cmap="viridis" if metric == "sr" else "viridis_r",
        vmin=low,
        vmax=1,
        cbar=False,
        xticklabels=titles,
        yticklabels=titles,
    )
    image = axis.collections[0]
    for (row, column), share in np.ndenumerate(shade):
        axis.text(
            column + 0.5,
            row + 0.5,
            format_cell(grid[row, column], metric),
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


def format_cell(value: float, metric: str) -> str:
    """A cell's number as it is printed: two digits for a rate, one for steps."""
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if metric == "sr" else f"{value:.1f}"
