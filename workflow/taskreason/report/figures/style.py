"""How a report draws things: one colour and marker per policy, one colour and line per task, for print.

The colours are those of Okabe and Ito, which stay apart for colour-blind readers; policies also differ by marker and
tasks by line style, so that a black-and-white print can be read.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a figure is drawn to a file, on machines without a display

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    **{"expert": "#4D4D4D", "base": "#BBBBBB", "grpo": "#F0E442"},
    **{"sft": "#0072B2", "sft_longer": "#56B4E9", "sft_grpo": "#D55E00"},
}
MARKERS = {"expert": "s", "base": "v", "grpo": "P", "sft": "o", "sft_longer": "^", "sft_grpo": "D"}
TASK_COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#CC79A7")
TASK_LINES = ("-", "--", "-.", ":")
TASK_MARKERS = "osD^"
PAGE_WIDTH = 7.0  # inches: both columns
WRITERS = {".pdf": ("CreationDate", "ModDate", "Producer", "Creator"), ".png": ("Software",)}
"""What matplotlib would say of itself and of the day in a file."""


def mark(policy: str) -> dict[str, str]:
    """Colour and marker of a policy."""
    return {"color": COLOURS[policy], "marker": MARKERS[policy]}


def apply_style() -> None:
    """Let all that matplotlib draws from now on look like the report."""
    plt.rc("font", family="DejaVu Sans", size=8)
    plt.rc("axes", titlesize=8, labelsize=8, grid=True, axisbelow=True)
    plt.rc("axes.spines", top=False, right=False)
    plt.rc(("xtick", "ytick"), labelsize=7)
    plt.rc("legend", fontsize=7, frameon=False)
    plt.rc("grid", color="#E5E5E5", linewidth=0.6)
    plt.rc("lines", linewidth=1.3)
    plt.rc("pdf", fonttype=42)
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("savefig", dpi=200)


def new_figure(rows: int, columns: int, height: float, **kwargs):
    """A figure of rows x columns axes in the report's style, as wide as the page; height in inches."""
    apply_style()
    return plt.subplots(rows, columns, figsize=(PAGE_WIDTH, height), squeeze=False, **kwargs)


def add_legend(figure: Figure, axis: Axes, columns: int, **kwargs) -> None:
    """Say above all axes what one of them labels."""
    handles = axis.get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=columns, **kwargs)


def save_figure(figure: Figure, *paths) -> None:
    """Write the figure to each path, byte-identical from run to run: no date, no writer's name."""
    for path in paths:
        figure.savefig(path, metadata=dict.fromkeys(WRITERS[Path(path).suffix]))
    plt.close(figure)
