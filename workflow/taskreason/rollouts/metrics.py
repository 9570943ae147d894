"""Success rate, steps and their intervals for the episodes of one table cell.

Input: an episode file (JSON Lines, one episode a line) and the task's timeout; output: a frozen
`CellMetrics`. The paper reports three metrics: SR, the share of episodes that reach the goal; ASAT,
the average steps over all episodes, a failure counting as the timeout; ASST, the average steps over
successful episodes. They satisfy ASAT = SR * ASST + (1 - SR) * timeout, which is checked on every
cell. Departures from the paper: SR carries a Wilson score interval, ASAT a bootstrap interval, and
minimal, invalid and malformed rates are measured beside them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode

EPISODE_TYPES = {
    "layout_hash": str,
    "task": str,
    "steps": int,
    "success": bool,
    "optimal_steps": int,
    "actions": list,
    "invalid": int,
    "malformed": int,
}
EPISODE_DEFAULTS = {"seed": 0, "model": "", "replies": ()}
BOOTSTRAP_RESAMPLES = 2000


@dataclass(frozen=True)
class CellMetrics:
    """Metrics of one policy on one task; rates are shares in [0, 1], steps are environment steps.

    episodes: episodes counted
    sr, sr_low, sr_high: success rate with its Wilson score interval, or over several seeds the
        crossed bootstrap's, never narrower than Wilson's for as many kitchens
    asat, asat_low, asat_high: average steps, a failure counting as the timeout, with a bootstrap
        interval
    asst: average steps of successful episodes; None when there is none
    minimal_rate: share of episodes that succeed in exactly the optimal number of steps
    excess_steps: by what share successful episodes are longer than the shortest plans of the same
        kitchens, 0.05 for five per cent; None when there is no success
    invalid_rate: share of replies whose action is not possible, malformed ones among them
    malformed_rate: share of replies that name no action at all
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


def wilson_interval(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson (1927) score interval of a proportion; (0, 1) when nothing was observed."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high


def crossed_interval(
    table: pd.DataFrame, column: str, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a mean over kitchens and seeds that accounts for the spread of both.

    Owen's (2007) pigeonhole bootstrap: kitchens and seeds are resampled apart, and an episode counts as often as its
    kitchen and its seed were drawn. With few seeds it errs on the wide side. ``table`` has one row a kitchen and seed.
    """
    values = table.pivot_table(index="layout_hash", columns="seed", values=column, aggfunc="mean")
    values = values.to_numpy(dtype=float)
    draw = np.random.default_rng(0)
    kitchens, seeds = values.shape
    rows = draw.multinomial(kitchens, [1 / kitchens] * kitchens, BOOTSTRAP_RESAMPLES)
    columns = draw.multinomial(seeds, [1 / seeds] * seeds, BOOTSTRAP_RESAMPLES)
    means = ((rows @ values) * columns).sum(axis=1) / (kitchens * seeds)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean; the resampling seed is fixed, so it is reproducible.

    Chosen over a t interval because steps pile up at the timeout and at the optimum.
    """
    values = np.asarray(values, dtype=float)
    picks = np.random.default_rng(0).integers(len(values), size=(BOOTSTRAP_RESAMPLES, len(values)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def paired_gain(
    better: pd.DataFrame, worse: pd.DataFrame, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Difference in SR of two policies on the same kitchens, and its Agresti-Min (2005) interval.

    The interval adds half an observation to each cell of the paired 2 x 2 table, so that it keeps a
    width even when the two policies agree on every kitchen. Over several seeds the interval is the crossed bootstrap
    of :func:`crossed_interval`, or that of one training of average outcome where it is wider; a policy that has one
    seed only is compared with every seed of the other.
    """
    once = min(better, worse, key=lambda part: part["seed"].nunique())
    keys = ["layout_hash"] if once["seed"].nunique() == 1 else ["layout_hash", "seed"]
    pairs = better.merge(worse, on=keys, suffixes=("_better", "_worse"))
    several = max(better, worse, key=lambda part: part["seed"].nunique())
    if several["seed"].nunique() > 1:
        if "seed" not in pairs:
            pairs["seed"] = pairs["seed_better" if several is better else "seed_worse"]
        pairs["gain"] = pairs.success_better.astype(float) - pairs.success_worse.astype(float)
        kitchens = pairs["layout_hash"].nunique()
        only = [(pairs["gain"] == sign).mean() * kitchens for sign in (1, -1)]
        bounds = span(
            crossed_interval(pairs, "gain", confidence), _agresti_min(*only, kitchens, confidence)
        )
        return float(pairs["gain"].mean()), *bounds
    only_better = int((pairs.success_better & ~pairs.success_worse).sum())
    only_worse = int((~pairs.success_better & pairs.success_worse).sum())
    gain = (only_better - only_worse) / max(len(pairs), 1)
    return gain, *_agresti_min(only_better, only_worse, len(pairs), confidence)


def _agresti_min(better: float, worse: float, pairs: int, confidence: float) -> tuple[float, float]:
    """Interval of a difference of paired proportions, from the pairs in which one side alone succeeds."""
    n, up, down = pairs + 2, better + 0.5, worse + 0.5
    centre = (up - down) / n
    half = (
        NormalDist().inv_cdf(0.5 + confidence / 2)
        * math.sqrt((up + down) - (up - down) ** 2 / n)
        / n
    )
    return max(-1.0, centre - half), min(1.0, centre + half)


def span(*intervals: tuple[float, float]) -> tuple[float, float]:
    """From the lowest lower end to the highest upper end."""
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def read_episodes(path: Path) -> pd.DataFrame:
    """Episodes of one file, one a row; further keys of a line are ignored.

    Raises UserError, naming file, line and key, when a line is not an episode.
    """
    rows = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if line.strip():
            rows.append(_parse_episode(line, f"{path}:{number}"))
    if not rows:
        raise UserError(f"{path}: holds no episode; delete it and run snakemake again")
    return pd.DataFrame(rows)


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
        kitchens = table["layout_hash"].nunique()
        sr_low, sr_high = span(
            crossed_interval(table, "success", confidence),
            wilson_interval(success.mean() * kitchens, kitchens, confidence),
        )
        asat_low, asat_high = crossed_interval(table, "charged", confidence)
    else:
        sr_low, sr_high = wilson_interval(int(success.sum()), len(success), confidence)
        asat_low, asat_high = bootstrap_interval(charged, confidence)
    metrics = CellMetrics(
        episodes=len(success),
        sr=float(success.mean()),
        sr_low=sr_low,
        sr_high=sr_high,
        asat=float(charged.mean()),
        asat_low=asat_low,
        asat_high=asat_high,
        asst=float(steps[success].mean()) if success.any() else None,
        minimal_rate=float((success & (steps == optimal)).mean()),
        excess_steps=(
            float(steps[success].sum() / optimal[success].sum() - 1) if success.any() else None
        ),
        invalid_rate=float(episodes["invalid"].sum() / max(steps.sum(), 1)),
        malformed_rate=float(episodes["malformed"].sum() / max(steps.sum(), 1)),
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


def _read_text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; make it with `snakemake {path}`") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; delete it and run snakemake again") from None


def _parse_episode(line: str, where: str) -> dict:
    try:
        row = decode(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UserError(
            f"{where}: is not a JSON object, so the file is damaged; delete it and run again"
        )
    for key, kind in EPISODE_TYPES.items():
        if key not in row:
            raise UserError(f"{where}: lacks the key '{key}'; delete the file and run again")
        # type() rather than isinstance(): True is an int in Python, but no number of steps.
        if type(row[key]) is not kind:
            raise UserError(
                f"{where}: '{key}' is {row[key]!r} where {kind.__name__} is expected; "
                "delete the file and run again"
            )
    episode = {key: row[key] for key in EPISODE_TYPES}
    return episode | {key: row.get(key, default) for key, default in EPISODE_DEFAULTS.items()}


def _check_episodes(episodes: pd.DataFrame, timeout: int, source: str) -> None:
    faults = {
        "steps": (
            (episodes["steps"] > timeout) | (episodes["steps"] < 0),
            f"lies outside 0 to the timeout of {timeout}; use the timeout that the rollout used",
        ),
        "optimal_steps": (
            episodes["success"] & (episodes["steps"] < episodes["optimal_steps"]),
            "exceeds the steps of a successful episode; plan the kitchen again",
        ),
        "invalid": (
            (episodes["invalid"] < 0) | (episodes["invalid"] > episodes["steps"]),
            "lies outside 0 to steps; run the rollout again",
        ),
        "malformed": (
            (episodes["malformed"] < 0) | (episodes["malformed"] > episodes["invalid"]),
            "lies outside 0 to 'invalid', which counts it too; run the rollout again",
        ),
    }
    for key, (wrong, advice) in faults.items():
        if wrong.any():
            first = int(np.argmax(wrong.to_numpy()))
            value = episodes[key].iloc[first]
            raise UserError(f"{source}: '{key}' of episode {first + 1} is {value} and {advice}")
