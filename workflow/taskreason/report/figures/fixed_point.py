"""The figure of the fixed point: chances before GRPO and after it, state by state, and where the theory has them go.

Input: a :class:`taskreason.report.tables.fixed_point.Fixed`; output: a figure with a panel a beta.
"""

import numpy as np
from matplotlib.figure import Figure

from taskreason.report.figures import style
from taskreason.report.tables.fixed_point import Fixed
from taskreason.theory.theorems import find_fixed_point

GREY = "#888888"


def draw_fixed_point(fixed: Fixed) -> Figure:
    """A panel a beta."""
    groups = list(fixed.states.groupby("beta"))
    figure, axes = style.new_figure(1, len(groups), 2.7, sharey=True)
    grid = np.linspace(0.01, 0.99, 200)
    for axis, (beta, own) in zip(axes[0], groups, strict=True):
        own = own.sort_values("p_ref")
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8, label="No change")
        axis.plot(grid, find_fixed_point(grid, beta), "--", color=GREY, label="Limit of the theory")
        axis.plot(own["p_ref"], own["stationary"], ":", color=GREY, label="The loss stands still")
        axis.vlines(own["p_ref"], own["p_low"], own["p_high"], color=style.COLOURS["sft_grpo"])
        look = style.mark("sft_grpo") | {"linewidth": 0, "markersize": 3.5}
        axis.plot(own["p_ref"], own["p"], label="After GRPO", **look)
        axis.set(aspect="equal", xlim=(0, 1), ylim=(0, 1.02), title=f"beta {beta:g}")
        axis.set_xlabel("p(s) before")
    axes[0, 0].set_ylabel("p(s) after")
    style.add_legend(figure, axes[0, 0], 4)
    return figure
