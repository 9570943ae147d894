"""The table of a sweep: SR and single replies before and after GRPO, with one setting changed at a time."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pandas as pd

from taskreason.report.tables.spec import RATE, Spec, Table, columns, name
from taskreason.report.training_logs import VALIDATION_COLUMNS, read_training_log

LAST_STEPS = 5
"""Steps over which the reward at the end of a training is averaged."""
SPECS = {
    "sweep": [
        Spec(
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
    ]
}


def make_sweep(trainings: Mapping[str, tuple[Path, Path]]) -> Table:
    """One row a point.

    trainings: point -> (GRPO's validation log, GRPO's training log). Rates are shares of the validation worlds or
    of states; before is the SFT policy, after is the last step of GRPO.
    """
    records = []
    for point, (validation, curve) in trainings.items():
        seen = read_training_log(validation, VALIDATION_COLUMNS)
        log = read_training_log(curve, ["reward", "kl", "zero_std_share", "seconds"])
        first, last, end = seen.iloc[0], seen.iloc[-1], log.tail(LAST_STEPS)
        records.append(
            {
                "point": point,
                "sr_before": first["sr"],
                "sr_after": last["sr"],
                "training_states": last["training_states"],
                "unseen_states": last["unseen_states"],
                **{key: fmean(end[key]) for key in ("reward", "kl", "zero_std_share")},
                "seconds": log["seconds"].iloc[-1],
            }
        )
    return Table(pd.DataFrame(records), SPECS["sweep"])
