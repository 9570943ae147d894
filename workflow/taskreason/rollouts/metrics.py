"""Success rate, steps and their intervals for the episodes of one table cell.

The paper reports three metrics: SR, the share of episodes that reach the goal; ASAT, the average steps over all
episodes, a failure counting as the timeout; ASST, the average steps over successful episodes. They satisfy
ASAT = SR * ASST + (1 - SR) * timeout, which is checked on every cell. Departures from the paper: SR carries a Wilson
score interval, ASAT a bootstrap interval, and the rates of minimal episodes and of invalid and malformed replies are
measured, too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines

EPISODE_TYPES = {"layout_hash": str, "task": str, "steps": int, "success": bool}
EPISODE_TYPES |= {"optimal_steps": int, "actions": list, "invalid": int, "malformed": int}
EPISODE_DEFAULTS = {"seed": 0, "model": "", "replies": (), "cut": 0}
BOOTSTRAP_RESAMPLES = 2000
Interval = tuple[float, float]


@dataclass(frozen=True)
class CellMetrics:
    """Metrics of one policy on one task; rates are shares in [0, 1], steps are environment steps.

    episodes: episodes counted
    sr, sr_low, sr_high: success rate with its Wilson score interval, or over several seeds the crossed bootstrap's,
        never narrower than Wilson's for the same number of worlds
    asat, asat_low, asat_high: average steps, a failure counting as the timeout, with a bootstrap interval
    asst: average steps of successful episodes; None when there is none
    minimal_rate: share of episodes that succeed in exactly the optimal number of steps
    excess_steps: by what share successful episodes are longer than the shortest plans of the same worlds, 0.05 for
        five per cent; None when there is no success
    invalid_rate: share of replies whose action is not possible, malformed ones among them
    malformed_rate: share of replies that name no action at all
    cut_rate: share of replies that ended at the limit of tokens
    """

    episodes: int
    sr: float
    sr_low: float
    sr_high: float
    asat: float
    asat_low: float
    asat_high: float
    asst: float | None
    minimal_rate: float
    excess_steps: float | None
    invalid_rate: float
    malformed_rate: float
    cut_rate: float = 0.0

    @property
    def rate(self) -> tuple[float, float, float]:
        """Success rate with its interval."""
        return self.sr, self.sr_low, self.sr_high


def wilson_interval(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Wilson (1927) score interval of a proportion; (0, 1) when nothing was observed.

    scipy's takes whole numbers of successes alone; here they are fractions where seeds are pooled over their worlds.
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half


def cut_tails(draws: np.ndarray, confidence: float) -> Interval:
    """Between which values the draws lie with the given confidence."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def crossed_interval(table: pd.DataFrame, column: str, confidence: float = 0.95) -> Interval:
    """Interval of a mean over worlds and seeds that accounts for the spread of both.

    Owen's (2007) pigeonhole bootstrap: worlds and seeds are resampled apart, and an episode counts as often as its
    world and its seed were drawn. With few seeds it errs on the wide side. ``table`` has one row a world and seed.
    """
    values = table.pivot_table(index="layout_hash", columns="seed", values=column, aggfunc="mean")
    values = values.to_numpy(dtype=float)
    draw = np.random.default_rng(0)
    worlds, seeds = values.shape
    rows = draw.multinomial(worlds, [1 / worlds] * worlds, BOOTSTRAP_RESAMPLES)
    columns = draw.multinomial(seeds, [1 / seeds] * seeds, BOOTSTRAP_RESAMPLES)
    return cut_tails(((rows @ values) * columns).sum(axis=1) / (worlds * seeds), confidence)


def bootstrap_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Percentile bootstrap interval of a mean; the resampling seed is fixed, so it is reproducible.

    Chosen over a t interval because steps pile up at the timeout and at the optimum.
    """
    values = np.asarray(values, dtype=float)
    picks = np.random.default_rng(0).integers(len(values), size=(BOOTSTRAP_RESAMPLES, len(values)))
    return cut_tails(values[picks].mean(axis=1), confidence)


def paired_gain(
    better: pd.DataFrame, worse: pd.DataFrame, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Difference in SR of two policies on the same worlds, and its Agresti-Min (2005) interval.

    The interval adds half an observation to each cell of the paired 2 x 2 table, so that it keeps a width even when the
    two policies agree on every world. Over several seeds it is that of :func:`crossed_interval`, or that of one
    training of average outcome where it is wider; a policy that has one seed only is compared with every seed of the
    other.
    """
    pairs = pair_outcomes(better, worse)
    gains, worlds = pairs["gain"], pairs["layout_hash"].nunique()
    if pairs["seed"].nunique() <= 1:
        up, down = int((gains == 1).sum()), int((gains == -1).sum())
        return (up - down) / max(len(pairs), 1), *_agresti_min(up, down, len(pairs), confidence)
    only = [(gains == sign).mean() * worlds for sign in (1, -1)]
    bounds = span(
        crossed_interval(pairs, "gain", confidence),
        _agresti_min(*only, worlds, confidence),
    )
    return float(gains.mean()), *bounds


def pair_outcomes(
    better: pd.DataFrame, worse: pd.DataFrame, column: str = "success"
) -> pd.DataFrame:
    """One row a world and seed of two policies: layout_hash, seed and gain, the difference of what a column holds."""
    counts = [part["seed"].nunique() for part in (better, worse)]
    keys = ["layout_hash"] if min(counts) == 1 else ["layout_hash", "seed"]
    pairs = better.merge(worse, on=keys, suffixes=("_better", "_worse"))
    gains = pairs[f"{column}_better"].astype(float) - pairs[f"{column}_worse"].astype(float)
    if "seed" not in pairs:
        pairs["seed"] = pairs["seed_better" if counts[0] > 1 else "seed_worse"]
    return pairs[["layout_hash", "seed"]].assign(gain=gains)


def paired_saving(
    better: pd.DataFrame, worse: pd.DataFrame, timeout: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Steps that one policy saves against another in the same worlds, a failure counting as the timeout.

    The difference of their ASAT and its bootstrap interval, over several seeds that of :func:`crossed_interval`.
    """
    charged = [
        part.assign(charged=part["steps"].where(part["success"], timeout))
        for part in (worse, better)
    ]
    pairs = pair_outcomes(*charged, "charged")
    bounds = (
        crossed_interval(pairs, "gain", confidence)
        if pairs["seed"].nunique() > 1
        else bootstrap_interval(pairs["gain"], confidence)
    )
    return float(pairs["gain"].mean()), *bounds


def compare_pairs(better: pd.DataFrame, worse: pd.DataFrame) -> tuple[int, int, float]:
    """Worlds in which one of two policies alone succeeds, those of the first and of the second, and the p-value.

    McNemar's exact test: of the worlds in which the policies differ, each of them would win half if they were equal.
    Over several seeds a world counts once, for the policy that wins there in more of the trainings, so that worlds
    stay independent of each other; the test then speaks of these trainings, while the interval of
    :func:`paired_gain` allows for others.
    """
    means = pair_outcomes(better, worse).groupby("layout_hash")["gain"].mean()
    won, lost = int((means > 0).sum()), int((means < 0).sum())
    return won, lost, float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _agresti_min(better: float, worse: float, pairs: int, confidence: float) -> Interval:
    """Interval of a difference of paired proportions, from the pairs in which one side alone succeeds."""
    n, up, down = pairs + 2, better + 0.5, worse + 0.5
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre, half = (up - down) / n, z * math.sqrt((up + down) - (up - down) ** 2 / n) / n
    return max(-1.0, centre - half), min(1.0, centre + half)


def span(*intervals: Interval) -> Interval:
    """From the lowest lower end to the highest upper end."""
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def read_episodes(path: Path) -> pd.DataFrame:
    """Episodes of one file, one a row; further keys of a line are ignored.

    Raises UserError, naming file, line and key, when a line is not an episode.
    """
    rows = read_lines(Path(path), EPISODE_TYPES, str(path))
    for number, row in enumerate(rows, start=1):
        for key, kind in EPISODE_TYPES.items():
            # type() rather than isinstance(): True is an int in Python, but no number of steps.
            if type(row[key]) is not kind:
                raise UserError(
                    f"{path}:{number}: '{key}' is {row[key]!r} where {kind.__name__} is expected; "
                    f"delete the file and run `snakemake {path}` to make it again."
                )
    keys = [*EPISODE_TYPES, *EPISODE_DEFAULTS]
    return pd.DataFrame([{key: (EPISODE_DEFAULTS | row)[key] for key in keys} for row in rows])


def pool_episodes(files: Iterable[tuple[int, Path]]) -> pd.DataFrame:
    """The episodes of several trainings, each a seed and its file, told apart by the column seed."""
    return pd.concat(read_episodes(path).assign(seed=seed) for seed, path in files)


def summarise(
    episodes: pd.DataFrame, timeout: int, confidence: float = 0.95, source: str = "episodes"
) -> CellMetrics:
    """Metrics of a cell's episodes; `source` is the file that an error names.

    Raises UserError when an episode contradicts the timeout, its own optimum or its counts.
    """
    _check_episodes(episodes, timeout, source)
    success = episodes["success"].to_numpy(dtype=bool)
    steps = episodes["steps"].to_numpy(dtype=float)
    optimal = episodes["optimal_steps"].to_numpy(dtype=float)
    charged = np.where(success, steps, timeout)
    if episodes["seed"].nunique() > 1:
        table = episodes.assign(charged=charged)
        # The bootstrap has no width where all episodes agree: never narrower than one training's interval.
        worlds = table["layout_hash"].nunique()
        sr_bounds = span(
            crossed_interval(table, "success", confidence),
            wilson_interval(success.mean() * worlds, worlds, confidence),
        )
        asat_bounds = crossed_interval(table, "charged", confidence)
    else:
        sr_bounds = wilson_interval(int(success.sum()), len(success), confidence)
        asat_bounds = bootstrap_interval(charged, confidence)
    won = success.any()
    metrics = CellMetrics(
        len(success),
        float(success.mean()),
        *sr_bounds,
        float(charged.mean()),
        *asat_bounds,
        asst=float(steps[success].mean()) if won else None,
        minimal_rate=float((success & (steps == optimal)).mean()),
        excess_steps=float(steps[success].sum() / optimal[success].sum() - 1) if won else None,
        invalid_rate=float(episodes["invalid"].sum() / max(steps.sum(), 1)),
        malformed_rate=float(episodes["malformed"].sum() / max(steps.sum(), 1)),
        cut_rate=float(episodes["cut"].sum() / max(steps.sum(), 1)),
    )
    check_asat_identity(metrics.sr, metrics.asat, metrics.asst, timeout, source)
    return metrics


def check_asat_identity(
    sr: float, asat: float, asst: float | None, timeout: int, source: str, tolerance: float = 1e-9
) -> None:
    """Raise UserError unless ASAT = SR * ASST + (1 - SR) * timeout; ASST is unused at SR = 0."""
    if asst is None and sr > 0:
        raise UserError(f"{source}: SR is {sr:g} but ASST is missing; give the steps of successes")
    expected = (sr * asst if sr > 0 else 0.0) + (1 - sr) * timeout
    if abs(asat - expected) > tolerance:
        raise UserError(
            f"{source}: ASAT is {asat:g} but SR * ASST + (1 - SR) * timeout gives {expected:g}; "
            f"check that failures count as the timeout of {timeout} steps"
        )


def _check_episodes(episodes: pd.DataFrame, timeout: int, source: str) -> None:
    steps, optimal, invalid = episodes["steps"], episodes["optimal_steps"], episodes["invalid"]
    too_short = episodes["success"] & (steps < optimal)
    miscounted = ~episodes["malformed"].between(0, invalid)
    faults = {
        "steps": (~steps.between(0, timeout), f"lies outside 0 to the timeout of {timeout}"),
        "optimal_steps": (too_short, "exceeds the steps of a successful episode"),
        "invalid": (~invalid.between(0, steps), "lies outside 0 to 'steps'"),
        "malformed": (miscounted, "lies outside 0 to 'invalid', which counts it too"),
    }
    for key, (wrong, fault) in faults.items():
        if wrong.any():
            first = int(np.argmax(wrong.to_numpy()))
            value = episodes[key].iloc[first]
            raise UserError(
                f"{source}: '{key}' of episode {first + 1} is {value} and {fault}; run the rollout again"
            )
