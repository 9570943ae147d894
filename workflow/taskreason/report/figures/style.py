"""How a report draws things: one colour and marker per policy, one colour and line per task, for print.

The colours are those of Okabe and Ito, which stay apart for colour-blind readers; policies also
differ by marker and tasks by line style, so that a black-and-white print can be read.
"""

import matplotlib

matplotlib.use("Agg")  # a figure is drawn to a file, on machines without a display

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

POLICY_COLOURS = {
    "expert": "#4D4D4D",
    "base": "#BBBBBB",
    "sft": "#0072B2",
    "sft_grpo": "#D55E00",
}
POLICY_MARKERS = {"expert": "s", "base": "v", "sft": "o", "sft_grpo": "D"}
TASK_COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#CC79A7")
TASK_LINES = ("-", "--", "-.", ":")

PAGE_WIDTH = 7.0  # inches: both columns

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}


def apply_style() -> None:
    """Let all that matplotlib draws from now on look like the report."""
    plt.rcParams.update(RC)


def new_figure(rows: int, columns: int, width: float, height: float, **kwargs):
    """A figure of rows x columns axes in the report's style; width and height in inches."""
    apply_style()
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **kwargs)


def save_figure(figure: Figure, *paths) -> None:
    """Write the figure to each path, byte-identical from run to run: no date, no writer's name."""
    empty = {"pdf": ("CreationDate", "ModDate", "Producer", "Creator"), "png": ("Software",)}
    for path in paths:
        metadata = dict.fromkeys(empty[str(path).rsplit(".", 1)[-1]])
        figure.savefig(path, metadata=metadata)
    plt.close(figure)
