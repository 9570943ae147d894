"""The tables of the ablations: SFT and SFT+GRPO under other experts and rewards, and single decisions against episodes.

Input: the episodes of every policy in the evaluation worlds of one task, and GRPO's logs. Intervals of gains are paired
by world.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import label_policy
from taskreason.report.tables.spec import COUNT, SIGNED, Column, Spec, Table, columns, name, spread
from taskreason.report.training_logs import VALIDATION_COLUMNS, read_training_log
from taskreason.rollouts.metrics import CellMetrics, paired_gain, read_episodes, summarise
from taskreason.studies.ablations import PLAIN, Study

DIFFERENCE = "difference"
"""Names the row of single decisions against whole episodes."""
LABELS = {PLAIN: "as configured", "single": "single decisions", "multi": "whole episodes"}
LABELS |= {DIFFERENCE: "decisions over episodes"}
LOG_COLUMNS = ["step", "generated_tokens", "seconds"]
RATES = [Column(key, label_policy(key)) for key in ("sft", "sft_grpo")]
GAIN = Column("gain", "Gain", SIGNED)


def label_study(study: str) -> str:
    """'as_configured' -> 'as configured'; 'noise=0.1' stays."""
    return LABELS.get(study, study)


SPECS = {
    "ablation_points": [
        Spec(
            [name("study", "Changed", label_study)],
            [Column("episodes", "Episodes", COUNT, screen=True), *RATES, GAIN],
        )
    ],
    "ablation_turns": [
        Spec(
            [name("turns", "GRPO on", label_study), name("seed", "Seed")],
            [*RATES, GAIN, *columns(COUNT, tokens="Tokens", seconds="Seconds")],
            select=lambda rows: rows.sort_values("turns", ascending=False, kind="stable"),
        )
    ],
}


@dataclass(frozen=True)
class Ablations:
    """sft, grpo: episodes by study; starts: the SFT policy of each study; runs: (turns, seed) -> its course.

    A course has one row a validation: tokens sampled and seconds spent until then, and SR.
    """

    cfg: Config
    sft: Mapping[str, pd.DataFrame]
    grpo: Mapping[str, pd.DataFrame]
    starts: Mapping[str, str]
    runs: Mapping[tuple[str, int], pd.DataFrame]

    def measure(self, episodes: pd.DataFrame) -> CellMetrics:
        """SR and steps of one policy."""
        timeout = self.cfg.timeout_of(self.cfg.ablation.task)
        return summarise(episodes, timeout, self.cfg.report.confidence)

    def gain(self, better: pd.DataFrame, worse: pd.DataFrame) -> dict[str, float]:
        """A gain in SR and its interval, as columns."""
        return spread({"gain": paired_gain(better, worse, self.cfg.report.confidence)})

    def list_points(self) -> list[str]:
        """The studies that are not comparisons of single decisions with episodes, the reproduction's own first."""
        return [study for study in self.grpo if not study.startswith("turns=")]

    def pool_turns(self, turns: str) -> pd.DataFrame:
        """The episodes of all seeds after GRPO on single decisions, or on whole episodes."""
        return pd.concat(
            self.grpo[name_turns(kind, seed)].assign(seed=seed)
            for kind, seed in self.runs
            if kind == turns
        )


def name_turns(turns: str, seed: int) -> str:
    """The study of a kind of GRPO and a seed."""
    return f"turns={turns}.seed{seed}"


def load_ablations(
    folder: Path, studies: Mapping[str, Study], own: Mapping[str, Path], cfg: Config
) -> Ablations:
    """Read what the studies left in ``folder``; own: the reproduction's episodes after "sft" and after "grpo"."""
    starts = {PLAIN: PLAIN} | {study: made.start for study, made in studies.items()}

    def read(stage: str, study: str) -> pd.DataFrame:
        path = own[stage] if study == PLAIN else folder / stage / study / "episodes.jsonl"
        return read_episodes(path)

    return Ablations(
        cfg,
        {start: read("sft", start) for start in dict.fromkeys(starts.values())},
        {study: read("grpo", study) for study in starts},
        starts,
        {
            (study.grpo["turns"], study.seed): read_course(folder / "grpo" / study.name)
            for study in studies.values()
            if "turns" in study.grpo
        },
    )


def read_course(folder: Path) -> pd.DataFrame:
    """SR in validation worlds against tokens sampled and seconds spent, from the logs of one training."""
    log = read_training_log(folder / "log.csv", LOG_COLUMNS)
    seen = read_training_log(folder / "validation.csv", VALIDATION_COLUMNS)
    spent = pd.DataFrame(
        {
            "step": [0, *log["step"]],
            "tokens": [0, *log["generated_tokens"].cumsum()],
            "seconds": [0.0, *log["seconds"]],
        }
    )
    return seen.merge(spent, on="step")[["step", "tokens", "seconds", "sr"]]


def make_points(ablations: Ablations) -> Table:
    """SR after SFT and after GRPO under each choice, and GRPO's gain."""
    records = []
    for study in ablations.list_points():
        before, after = ablations.sft[ablations.starts[study]], ablations.grpo[study]
        left, right = ablations.measure(before), ablations.measure(after)
        rates = {"sft": left.rate, "sft_grpo": right.rate}
        counts = {"study": study, "episodes": right.episodes}
        records.append(counts | spread(rates) | ablations.gain(after, before))
    return Table(pd.DataFrame(records), SPECS["ablation_points"])


def make_turns(ablations: Ablations) -> Table:
    """GRPO on single decisions and on whole episodes from one SFT policy: every seed, their mean, the difference."""
    records = []
    for (turns, seed), course in ablations.runs.items():
        study = name_turns(turns, seed)
        before, after = ablations.sft[ablations.starts[study]], ablations.grpo[study]
        records.append(
            {
                "turns": turns,
                "seed": str(seed),
                "sft": ablations.measure(before).sr,
                "sft_grpo": ablations.measure(after).sr,
                **ablations.gain(after, before),
                "tokens": float(course["tokens"].iloc[-1]),
                "seconds": float(course["seconds"].iloc[-1]),
            }
        )
    seeds = pd.DataFrame(records)
    for turns, part in seeds.groupby("turns", sort=False):
        means = _average(part, ablations.cfg.report.confidence)
        records.append({"turns": turns, "seed": "mean"} | means)
    difference = ablations.gain(ablations.pool_turns("single"), ablations.pool_turns("multi"))
    records.append({"turns": DIFFERENCE, "seed": "mean"} | difference)
    return Table(pd.DataFrame(records), SPECS["ablation_turns"])


def _average(part: pd.DataFrame, confidence: float) -> dict[str, float]:
    """Means over seeds; the interval of the gain is over seeds, and never narrower than over worlds in one training."""
    means = part.drop(columns=["turns", "seed"]).mean().to_dict()
    spread_of_seeds = part["gain"].std() / len(part) ** 0.5 if len(part) > 1 else 0.0
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread_of_seeds
    ends = (
        min(means["gain_low"], means["gain"] - half),
        max(means["gain_high"], means["gain"] + half),
    )
    return means | dict(zip(("gain_low", "gain_high"), ends, strict=True))
