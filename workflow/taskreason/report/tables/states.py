"""The table of whose states: a row for each kind of training from one SFT policy, at equal numbers of tokens.

Input: what `snakemake states` left. Gains in SR are paired by world and seed: over the SFT policy that all began with,
and over SFT trained on in the expert's states. Single replies are greedy; one that begins a shortest plan is right.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from taskreason.config.models import Config
from taskreason.report.tables.spec import (
    COUNT,
    SIGNED,
    Column,
    Spec,
    Table,
    columns,
    name,
    spread,
)
from taskreason.report.trainings import read_json, read_training_log
from taskreason.rollouts.metrics import paired_gain, pool_episodes, summarise, wilson_interval
from taskreason.studies.states import ARMS, CONTROL, START

START_LABEL = "SFT, where all begin"
SPECS = {
    "states": [
        Spec(
            [name("arm", "Trained on", lambda arm: label_arm(arm))],
            [
                Column("tokens", "Tokens", COUNT, screen=True),
                Column("sr", "SR"),
                Column("gain", "Gain over|start", SIGNED),
                Column("gain_control", "Gain over|SFT", SIGNED),
                *columns(".3f", expert="p(s)|expert's", failed="p(s)|failed"),
            ],
        )
    ]
}


def label_arm(arm: str) -> str:
    """'grpo_own' -> 'GRPO, own states'."""
    return ARMS[arm].label if arm in ARMS else START_LABEL


def make_states(folder: Path, cfg: Config) -> Table:
    """One row for the SFT policy and one for each kind of training, whose seeds are pooled.

    tokens: sampled by GRPO, mean over seeds; by SFT, those that it is trained on. expert, failed: share of right single
    replies on the expert's states and on those of the SFT policy's failed episodes, which chose themselves by its
    errors, so that a policy that errs elsewhere looks good on them. failed_states: how many these are.
    """
    level, timeout, seeds = cfg.report.confidence, cfg.timeout_of(cfg.states.task), cfg.states.seeds
    runs = {START: [folder / START]}
    runs |= {arm: [folder / f"{arm}.seed{seed}" for seed in seeds] for arm in ARMS}
    pooled = {
        arm: pool_episodes((n, run / "episodes.jsonl") for n, run in enumerate(places))
        for arm, places in runs.items()
    }
    rows = []
    for arm, places in runs.items():
        rates = {"sr": summarise(pooled[arm], timeout, level).rate}
        if arm != START:
            rates["gain"] = paired_gain(pooled[arm], pooled[START], level)
        if arm not in (START, CONTROL):
            rates["gain_control"] = paired_gain(pooled[arm], pooled[CONTROL], level)
        counts = [read_json(run / "single_turn.json") for run in places]
        rates |= {kind: _pool_replies(counts, kind, level) for kind in ("expert", "failed")}
        row = {"arm": arm, "seeds": len(places), "episodes": len(pooled[arm])}
        row |= {"tokens": count_tokens(arm, places, cfg)} | spread(rates)
        rows.append(row | {"failed_states": counts[0]["failed"]["states"]})
    return Table(pd.DataFrame(rows), SPECS["states"])


def count_tokens(arm: str, places: list[Path], cfg: Config) -> float:
    """Tokens of replies that a training took, 0 for the SFT policy."""
    if arm == START:
        return 0.0
    if ARMS[arm].stage != "grpo":
        return float(cfg.states.tokens)
    logs = [read_training_log(place / "log.csv", ["generated_tokens"]) for place in places]
    return float(np.mean([log["generated_tokens"].sum() for log in logs]))


def _pool_replies(counts: list[dict], kind: str, level: float) -> tuple[float, float, float]:
    """Share of right replies over all seeds, with the interval of one seed's number of states; NaN without any."""
    states = counts[0][kind]["states"]
    if not states:
        return np.nan, np.nan, np.nan
    right = float(np.mean([count[kind]["optimal"] for count in counts]))
    return right / states, *wilson_interval(right, states, level)
