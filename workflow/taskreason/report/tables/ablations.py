"""The tables of the ablations: SFT and SFT+GRPO under other experts and rewards, and single decisions against episodes.

Input: the episodes of every policy in the evaluation kitchens of one task, and GRPO's logs; output: tables as CSV and
LaTeX. Intervals of gains are paired by kitchen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev

import pandas as pd

from taskreason.report.labels import task_title
from taskreason.report.render.latex import MISSING, escape, format_rate, make_row, make_tabular
from taskreason.report.tables.cells import Table, print_gain, print_rate
from taskreason.report.training_logs import VALIDATION_COLUMNS, read_training_log
from taskreason.rollouts.metrics import CellMetrics, paired_gain, read_episodes, summarise
from taskreason.studies.ablations import PLAIN, Study

DIFFERENCE = "difference"
"""Names the row that sets single decisions against whole episodes."""
LABELS = {PLAIN: "as configured", "single": "single decisions", "multi": "whole episodes"}
LABELS |= {DIFFERENCE: "decisions over episodes"}
LOG_COLUMNS = ["step", "generated_tokens", "seconds"]


@dataclass(frozen=True)
class Ablations:
    """sft, grpo: episodes by study; starts: the SFT policy of each study; runs: (turns, seed) -> its course.

    A course has one row a look at the validation kitchens: tokens sampled and seconds spent until then, and SR.
    """

    sft: Mapping[str, pd.DataFrame]
    grpo: Mapping[str, pd.DataFrame]
    starts: Mapping[str, str]
    runs: Mapping[tuple[str, int], pd.DataFrame]
    timeout: int
    confidence: float

    def measure(self, episodes: pd.DataFrame) -> CellMetrics:
        """SR and steps of one policy."""
        return summarise(episodes, self.timeout, self.confidence)

    def list_points(self) -> list[str]:
        """The studies that are not comparisons of single decisions with episodes, the reproduction's own first."""
        return [
            PLAIN,
            *(name for name in self.grpo if name != PLAIN and not name.startswith("turns=")),
        ]

    def pool_turns(self, turns: str) -> pd.DataFrame:
        """The episodes of all seeds after GRPO on single decisions, or on whole episodes."""
        return pd.concat(
            self.grpo[f"turns={turns}.seed{seed}"].assign(seed=seed)
            for kind, seed in self.runs
            if kind == turns
        )


def load_ablations(
    folder: Path,
    studies: Mapping[str, Study],
    own: Mapping[str, Path],
    timeout: int,
    confidence: float,
) -> Ablations:
    """Read what the studies left in ``folder``; own: the reproduction's episodes after "sft" and after "grpo"."""
    starts = {PLAIN: PLAIN} | {name: study.start for name, study in studies.items()}
    sft = {
        start: read_episodes(
            own["sft"] if start == PLAIN else folder / "sft" / start / "episodes.jsonl"
        )
        for start in dict.fromkeys(starts.values())
    }
    grpo = {PLAIN: read_episodes(own["grpo"])}
    grpo |= {name: read_episodes(folder / "grpo" / name / "episodes.jsonl") for name in studies}
    runs = {
        (study.grpo["turns"], study.seed): read_course(folder / "grpo" / name)
        for name, study in studies.items()
        if "turns" in study.grpo
    }
    return Ablations(sft, grpo, starts, runs, timeout, confidence)


def read_course(folder: Path) -> pd.DataFrame:
    """SR in validation kitchens against tokens sampled and seconds spent, from the logs of one training."""
    log = read_training_log(folder / "log.csv", LOG_COLUMNS)
    looks = read_training_log(folder / "validation.csv", VALIDATION_COLUMNS)
    spent = pd.DataFrame(
        {
            "step": [0, *log["step"]],
            "tokens": [0, *log["generated_tokens"].cumsum()],
            "seconds": [0.0, *log["seconds"]],
        }
    )
    return looks.merge(spent, on="step")[["step", "tokens", "seconds", "sr"]]


def make_points(ablations: Ablations) -> Table:
    """SR after SFT and after GRPO under each choice, and GRPO's gain."""
    records = []
    for name in ablations.list_points():
        before, after = ablations.sft[ablations.starts[name]], ablations.grpo[name]
        left, right = ablations.measure(before), ablations.measure(after)
        gain, low, high = paired_gain(after, before, ablations.confidence)
        records.append(
            {
                "study": name,
                "episodes": right.episodes,
                "sft": left.sr,
                "sft_low": left.sr_low,
                "sft_high": left.sr_high,
                "sft_grpo": right.sr,
                "sft_grpo_low": right.sr_low,
                "sft_grpo_high": right.sr_high,
                "gain": gain,
                "gain_low": low,
                "gain_high": high,
            }
        )
    rows = [make_row("Changed", "SFT", "SFT + GRPO", "Gain"), r"\midrule"]
    for record in records:
        rates = [
            print_rate(*(record[f"{key}{end}"] for end in ("", "_low", "_high")))
            for key in ("sft", "sft_grpo")
        ]
        gain = print_gain(*(record[key] for key in ("gain", "gain_low", "gain_high")))
        rows.append(make_row(escape(LABELS.get(record["study"], record["study"])), *rates, gain))
    return Table(pd.DataFrame(records), make_tabular("llll", rows))


def make_turns(ablations: Ablations) -> Table:
    """GRPO on single decisions and on whole episodes from one SFT policy: every seed, their mean, the difference."""
    records = []
    for turns, seed in ablations.runs:
        course = ablations.runs[turns, seed]
        name = f"turns={turns}.seed{seed}"
        before, after = ablations.sft[ablations.starts[name]], ablations.grpo[name]
        gain, low, high = paired_gain(after, before, ablations.confidence)
        records.append(
            {
                "turns": turns,
                "seed": str(seed),
                "sft": ablations.measure(before).sr,
                "sft_grpo": ablations.measure(after).sr,
                "gain": gain,
                "gain_low": low,
                "gain_high": high,
                "tokens": float(course["tokens"].iloc[-1]),
                "seconds": float(course["seconds"].iloc[-1]),
            }
        )
    for turns in dict.fromkeys(record["turns"] for record in records):
        part = [record for record in records if record["turns"] == turns]
        means = {
            key: fmean(r[key] for r in part)
            for key in ("sft", "sft_grpo", "gain", "tokens", "seconds")
        }
        records.append(
            {"turns": turns, "seed": "mean"} | means | _spread(part, ablations.confidence)
        )
    difference = paired_gain(
        ablations.pool_turns("single"), ablations.pool_turns("multi"), ablations.confidence
    )
    keys = ("gain", "gain_low", "gain_high")
    records.append({"turns": DIFFERENCE, "seed": "mean"} | dict(zip(keys, difference, strict=True)))
    rows = [make_row("GRPO on", "Seed", "SFT", "SFT + GRPO", "Gain", "Tokens", "Minutes")]
    seen = None
    for record in sorted(records, key=lambda r: r["turns"], reverse=True):
        if record["turns"] != seen:
            rows.append(r"\midrule")
        gain = print_gain(*(record[key] for key in keys))
        rates, spent = [MISSING] * 2, [MISSING] * 2
        if record["turns"] != DIFFERENCE:
            rates = [format_rate(record[key]) for key in ("sft", "sft_grpo")]
            tokens = rf"{record['tokens'] / 1000:.0f}\,k"
            spent = [tokens, f"{record['seconds'] / 60:.1f}"]
        label = LABELS[record["turns"]] if record["turns"] != seen else ""
        rows.append(make_row(label, record["seed"], *rates, gain, *spent))
        seen = record["turns"]
    return Table(pd.DataFrame(records), make_tabular("lrrrlrr", rows))


def _spread(part: list[dict], confidence: float) -> dict[str, float]:
    """Interval of the mean gain: over seeds, and never narrower than over kitchens in a single training."""
    gains = [record["gain"] for record in part]
    spread = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    low, high = (fmean(record[key] for record in part) for key in ("gain_low", "gain_high"))
    return {"gain_low": min(low, fmean(gains) - half), "gain_high": max(high, fmean(gains) + half)}


def make_ablation_macros(ablations: Ablations, settings: Mapping) -> dict[str, str]:
    """The numbers that the paper's section quotes; settings: the configuration's ``ablation``."""
    points, turns = make_points(ablations).csv, make_turns(ablations).csv
    largest = points.loc[points["gain"].idxmax()]
    means = turns[turns["seed"] == "mean"].set_index("turns")
    gains, difference = means["gain"], means.loc[DIFFERENCE]
    total = len(points)
    rates = [format_rate(rate) for rate in (points["sft"].min(), points["sft"].max())]
    return {
        "AblationTask": task_title(settings["task"]).lower(),
        "AblationStart": str(settings["turns_trajectories"]),
        "AblationPoints": str(total),
        "AblationSft": " to ".join(dict.fromkeys(rates)),
        "AblationAbove": f"{(points['gain_low'] > 0).sum() or 'none'} of the {total}",
        "AblationBelow": f"{(points['gain_high'] < 0).sum() or 'none'} of the {total}",
        "AblationLargest": rf"\ensuremath{{{largest['gain']:+.2f}}}",
        "AblationLargestName": escape(LABELS.get(largest["study"], largest["study"])),
        "AblationSingle": rf"\ensuremath{{{gains['single']:+.3f}}}",
        "AblationMulti": rf"\ensuremath{{{gains['multi']:+.3f}}}",
        "AblationTokens": rf"{settings['turns_tokens'] / 1000:g}\,k",
        "AblationTurnsVerdict": _judge_turns(difference),
    }


def _judge_turns(difference: pd.Series) -> str:
    """Which of the two kinds of GRPO does better, if these kitchens and seeds can tell."""
    shown = print_gain(*(difference[key] for key in ("gain", "gain_low", "gain_high")))
    if difference["gain_low"] > 0:
        verdict = "single decisions do better"
    elif difference["gain_high"] < 0:
        verdict = "whole episodes do better"
    else:
        verdict = "these kitchens and seeds do not tell them apart"
    return f"{verdict} (SR of decisions over that of episodes: {shown})"


TABLES = {"ablation_points": make_points, "ablation_turns": make_turns}
