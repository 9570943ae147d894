"""The tables of the studies: SFT and SFT+GRPO under other experts and rewards, which imperfections of an expert GRPO
repairs, single decisions against whole episodes, and settings swept one at a time.

Input: the episodes that ablations left in the evaluation worlds of one task, and logs of GRPO. Intervals of gains are
paired by world.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import label_policy
from taskreason.report.tables.spec import (
    COUNT,
    RATE,
    SHARE,
    SIGNED,
    Column,
    Spec,
    Table,
    columns,
    name,
    spread,
)
from taskreason.report.trainings import VALIDATION_COLUMNS, read_json, read_training_log
from taskreason.rollouts.metrics import paired_gain, read_episodes, summarise
from taskreason.studies.ablations import PLAIN, Study

DIFFERENCE = "difference"
"""Names the row of single decisions against whole episodes."""
LABELS = {
    PLAIN: "as configured",
    "single": "single decisions",
    "multi": "whole episodes",
    DIFFERENCE: "decisions over episodes",
}
ERRORS = {
    "names": "wrong names",
    "missing": "missing sentences",
    "foreign": "foreign sentences",
    "noise": "slips",
}
"""How an expert errs, in words."""
TURN_COLUMNS = [
    *("turns", "seed", "sft", "sft_grpo", "gain", "gain_low", "gain_high", "tokens", "seconds"),
]
LAST_STEPS = 5
"""Steps over which the reward at the end of a training is averaged."""


def label_study(study: str) -> str:
    """'as_configured' -> 'as configured'; 'noise=0.1' stays."""
    return LABELS.get(study, study)


def label_expert(expert: str) -> str:
    """'names=0.3' -> 'wrong names, 0.3'; 'policy=greedy' -> 'rule of thumb'; 'perfect' stays."""
    kind, _, value = expert.partition("=")
    if kind == "policy":
        return label_policy(value).lower()
    return f"{ERRORS[kind]}, {value}" if kind in ERRORS else expert


RATES = [
    *(Column(policy, label_policy(policy)) for policy in ("sft", "sft_grpo")),
    Column("gain", "Gain", SIGNED),
]
POINTS = Spec(
    [name("study", "Changed", label_study)],
    [Column("episodes", "Episodes", COUNT, screen=True), *RATES],
)
EXPERTS = Spec(
    [name("expert", "Expert", label_expert)],
    [
        Column("suboptimal", "Suboptimal", SHARE, screen=True),
        *(Column(policy, label_policy(policy)) for policy in ("sft", "sft_longer", "sft_grpo")),
        Column("gain", "Gain over|SFT", SIGNED),
        Column("gain_longer", "Gain over|longer SFT", SIGNED),
    ],
)
TURNS = Spec(
    [name("turns", "GRPO on", label_study), name("seed", "Seed")],
    [*RATES, *columns(COUNT, tokens="Tokens", seconds="Seconds")],
    select=lambda rows: rows.sort_values("turns", ascending=False, kind="stable"),
)
SWEEP = Spec(
    [name("point", "Changed")],
    [
        *columns(RATE, sr_before="SR|before", sr_after="SR|after"),
        *columns(RATE, training_states="States|training", unseen_states="States|unseen"),
        *columns(RATE, reward="Reward"),
        # Without beta there is no reference policy, and no KL divergence from it.
        *columns(".4f", kl="KL"),
        *columns(RATE, zero_std_share="No spread"),
    ],
)
SPECS = {
    "ablation_points": [POINTS],
    "ablation_experts": [EXPERTS],
    "ablation_turns": [TURNS],
    "sweep": [SWEEP],
}


@dataclass(frozen=True)
class Ablations:
    """sft, grpo: episodes after each stage by study; longer: after longer SFT, by expert; runs: by (turns, seed).

    A run's course has one row a validation: tokens sampled and seconds spent until then, and SR. suboptimal: the share
    of an expert's decisions that begin no shortest plan.
    """

    cfg: Config
    sft: Mapping[str, pd.DataFrame]
    longer: Mapping[str, pd.DataFrame]
    grpo: Mapping[str, pd.DataFrame]
    suboptimal: Mapping[str, float]
    runs: Mapping[tuple[str, int], pd.DataFrame]

    def gain(self, better: pd.DataFrame, worse: pd.DataFrame) -> dict[str, float]:
        """A gain in SR and its interval, as columns."""
        return spread({"gain": paired_gain(better, worse, self.cfg.report.confidence)})

    def compare(self, study: str) -> dict[str, float]:
        """SR after SFT and after GRPO and the gain between them, each with its interval, as columns."""
        timeout = self.cfg.timeout_of(self.cfg.ablation.task)
        before, after = self.sft[study], self.grpo[study]
        sft, grpo = (summarise(e, timeout, self.cfg.report.confidence) for e in (before, after))
        rates = spread({"sft": sft.rate, "sft_grpo": grpo.rate})
        return {"episodes": grpo.episodes} | rates | self.gain(after, before)


def load_ablations(
    folder: Path,
    studies: Mapping[str, Study],
    experts: Collection[str],
    own: Mapping[str, Path],
    cfg: Config,
) -> Ablations:
    """Read what the studies left in ``folder``; own: the reproduction's episodes after "sft" and after "grpo".

    experts: the names of those of the studies whose expert errs, or is the perfect one.
    """

    @cache
    def read(stage: str, study: str) -> pd.DataFrame:
        path = own[stage] if study == PLAIN else folder / stage / study / "episodes.jsonl"
        return read_episodes(path)

    summaries = {e: read_json(folder / "sft" / e / "trajectories.summary.json") for e in experts}
    starts = {PLAIN: PLAIN} | {study: made.start for study, made in studies.items()}
    return Ablations(
        cfg,
        {study: read("sft", start) for study, start in starts.items()},
        {expert: read("longer", expert) for expert in experts},
        {study: read("grpo", study) for study in starts},
        {expert: told["suboptimal"] / told["decisions"] for expert, told in summaries.items()},
        {
            (study.grpo["turns"], study.seed): read_course(folder / "grpo" / study.name)
            for study in studies.values()
            if "turns" in study.grpo
        },
    )


def read_course(folder: Path) -> pd.DataFrame:
    """SR in validation worlds against tokens sampled and seconds spent, from the logs of one training."""
    log = read_training_log(folder / "log.csv", ["step", "generated_tokens", "seconds"])
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
    """SR after SFT and after GRPO under each choice, and GRPO's gain; the reproduction's own choice first."""
    apart = (*ablations.longer, *(study for study in ablations.grpo if study.startswith("turns=")))
    points = [study for study in ablations.grpo if study not in apart]
    records = [{"study": study} | ablations.compare(study) for study in points]
    return Table(pd.DataFrame(records), SPECS["ablation_points"])


def make_experts(ablations: Ablations) -> Table:
    """SR after SFT, longer SFT and GRPO with each expert, and GRPO's gains over both, paired by world."""
    level, records = ablations.cfg.report.confidence, []
    timeout = ablations.cfg.timeout_of(ablations.cfg.ablation.task)
    for expert, longer in ablations.longer.items():
        gain = paired_gain(ablations.grpo[expert], longer, level)
        rates = {"sft_longer": summarise(longer, timeout, level).rate, "gain_longer": gain}
        row = {"expert": expert, "suboptimal": ablations.suboptimal[expert]}
        records.append(row | ablations.compare(expert) | spread(rates))
    return Table(pd.DataFrame(records), SPECS["ablation_experts"])


def make_turns(ablations: Ablations) -> Table:
    """GRPO on single decisions and on whole episodes from one SFT policy: every seed, their mean, the difference.

    The interval of a mean gain is over seeds, and never narrower than over worlds in one training.
    """
    records, episodes = [], {"single": [], "multi": []}
    for (turns, seed), course in ablations.runs.items():
        study = f"turns={turns}.seed{seed}"
        episodes[turns].append(ablations.grpo[study].assign(seed=seed))
        spent = course[["tokens", "seconds"]].iloc[-1]
        records.append({"turns": turns, "seed": str(seed)} | ablations.compare(study) | {**spent})
    deviations = NormalDist().inv_cdf(0.5 + ablations.cfg.report.confidence / 2)
    for turns, part in pd.DataFrame(records).groupby("turns", sort=False):
        means = part.drop(columns=["turns", "seed"]).mean()
        half = deviations * part["gain"].sem() if len(part) > 1 else 0.0
        means["gain_low"] = min(means["gain_low"], means["gain"] - half)
        means["gain_high"] = max(means["gain_high"], means["gain"] + half)
        records.append({"turns": turns, "seed": "mean"} | {**means})
    difference = ablations.gain(*map(pd.concat, episodes.values()))
    records.append({"turns": DIFFERENCE, "seed": "mean"} | difference)
    return Table(pd.DataFrame(records, columns=TURN_COLUMNS), SPECS["ablation_turns"])


def make_sweep(trainings: Mapping[str, tuple[Path, Path]]) -> Table:
    """One row a point.

    trainings: point -> (GRPO's validation log, GRPO's training log). Rates are shares of the validation worlds or
    of states; before is the SFT policy, after is the last step of GRPO.
    """
    averaged, records = ["reward", "kl", "zero_std_share"], []
    for point, (validation, curve) in trainings.items():
        seen = read_training_log(validation, VALIDATION_COLUMNS)
        log = read_training_log(curve, [*averaged, "seconds"])
        records.append(
            {
                "point": point,
                "sr_before": seen["sr"].iloc[0],
                "sr_after": seen["sr"].iloc[-1],
                **seen[["training_states", "unseen_states"]].iloc[-1],
                **log[averaged].tail(LAST_STEPS).mean(skipna=False),
                "seconds": log["seconds"].iloc[-1],
            }
        )
    return Table(pd.DataFrame(records), SPECS["sweep"])
