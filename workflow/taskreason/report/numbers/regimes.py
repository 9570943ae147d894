"""The law that the map of regimes shows, in one sentence, and its numbers as macros of the paper.

Input: the map's table; output: a sentence in plain text, and macro name -> LaTeX text. Cells share worlds and, with
equal starts, policies, so that the interval of the rank correlation, a bootstrap over cells, is on the narrow side.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, spearmanr, theilslopes

from taskreason.config.models import Config
from taskreason.report.labels import task_title
from taskreason.report.numbers.verdicts import count
from taskreason.report.render.latex import MISSING, format_gain, format_signed
from taskreason.report.tables.regimes import FIRST_STEPS
from taskreason.rollouts.metrics import BOOTSTRAP_RESAMPLES

Estimate = tuple[float, float, float]
"""A number and the ends of its interval."""
FEWEST_CELLS = 4


@dataclass(frozen=True)
class Law:
    """How GRPO's gain goes with the share of groups with spread, over the cells with the first number of steps.

    rank: Spearman's correlation; slope: Theil and Sen's, in SR from no group with spread to all of them. Both None
    where the cells are too few or alike. noise: the rank correlation of the gain with thought noise, which was looked
    for after the map had been seen.
    """

    cells: int
    rank: Estimate | None
    slope: Estimate | None
    noise: Estimate | None
    sentence: str


def find_law(rows: pd.DataFrame, cfg: Config) -> Law:
    """The law of a map; rows: its table's."""
    steps = cfg.regimes.steps[0]
    part = rows[rows["steps"] == steps]
    shares, gains = part["spread"].to_numpy(), part["gain"].to_numpy()
    begin = f"Over the {len(part)} cells with {steps} steps of GRPO, its gain over SFT on as many replies"
    end = (
        f"the gain's interval lies above zero in {count(part['gain_low'] > 0)} cells and below in "
        f"{count(part['gain_high'] < 0)}."
    )
    if len(part) < FEWEST_CELLS or len(set(shares)) == 1 or len(set(gains)) == 1:
        told = f"{begin} can't be set against the groups with spread; {end}"
        return Law(len(part), None, None, None, told)
    rank = correlate_ranks(shares, gains, cfg.report.confidence)
    slope, _, low, high = theilslopes(gains, shares, alpha=cfg.report.confidence)
    sentence = (
        f"{begin} {_say(rank)} with the share of groups with spread in the first {FIRST_STEPS} steps: rank correlation "
        f"{_print(rank)}, slope {_print((slope, low, high))} of SR from no group to all; {end}"
    )
    noise = None
    if part["thought_noise"].nunique() > 1:
        noise = correlate_ranks(part["thought_noise"].to_numpy(), gains, cfg.report.confidence)
        sentence += (
            f" It {_say(noise)} with the chance of a wrong name in the expert's thoughts (rank correlation "
            f"{_print(noise)}), which was looked for after the map had been seen."
        )
    return Law(len(part), rank, (slope, low, high), noise, sentence)


def _say(rank: Estimate) -> str:
    """What a rank correlation shows, by its interval."""
    if rank[1] > 0:
        return "rises"
    return "falls" if rank[2] < 0 else "neither rises nor falls for certain"


def correlate_ranks(x: np.ndarray, y: np.ndarray, confidence: float) -> Estimate:
    """Spearman's rank correlation with its percentile bootstrap interval; a resample without variation counts as 0."""

    def correlate(a: np.ndarray, b: np.ndarray) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constant input
            return float(np.nan_to_num(spearmanr(a, b).statistic))

    drawn = bootstrap(
        (x, y),
        correlate,
        paired=True,
        vectorized=False,
        n_resamples=BOOTSTRAP_RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        random_state=0,
    )
    return correlate(x, y), *map(float, drawn.confidence_interval)


def make_regime_macros(rows: pd.DataFrame, law: Law, cfg: Config) -> dict[str, str]:
    """All macros of the map."""
    largest = rows.loc[rows["gain"].idxmax()]
    where = (
        f"thought noise {largest['thought_noise']:g}, {largest['trajectories']:g} trajectories, "
        f"{largest['epochs']:g} epochs of SFT and {largest['steps']:g} steps"
    )
    return {
        "RegimesTask": task_title(cfg.regimes.task).lower(),
        "RegimesCells": str(len(rows)),
        "RegimesLawCells": str(law.cells),
        "RegimesLaw": law.sentence,
        "RegimesRank": format_gain(*law.rank) if law.rank else MISSING,
        "RegimesNoise": format_gain(*law.noise) if law.noise else MISSING,
        "RegimesSlope": format_gain(*law.slope) if law.slope else MISSING,
        "RegimesAbove": count(rows["gain_low"] > 0),
        "RegimesBelow": count(rows["gain_high"] < 0),
        "RegimesLargest": format_signed(largest["gain"]),
        "RegimesLargestWhere": where,
    }


def _print(estimate: Estimate) -> str:
    """'+0.62 [+0.40, +0.78]'."""
    value, low, high = (f"{number:+.2f}" for number in estimate)
    return f"{value} [{low}, {high}]"
