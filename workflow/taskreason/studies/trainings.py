"""Whether trainings in other arithmetic come to the same on average.

Processors that multiply bf16 train in it, others in fp32. A training that rounds otherwise goes another way, as with
another seed, and then more differs than chance in single worlds explains. So the question is put to the trainings of a
policy together, one a task: Student's interval of the mean difference of their success rates, each on the worlds of its
own task and by greedy replies.
"""

from collections.abc import Iterator

import pandas as pd
from scipy import stats

from taskreason.studies.reference import GREEDY

SIDES = {"a": "worlds", "b": "worlds_here"}
"""The two runs, and where the cells have the number of their worlds."""


def compare_trainings(cells: pd.DataFrame, level: float) -> pd.DataFrame:
    """The policies that were trained on two tasks or with two seeds at least, one a row.

    cells: from :func:`~taskreason.studies.verify.compare_cells`; level: chance that any interval misses its mean.
    columns: policy, trainings, mean, low, high (this run's success rate less the reference's), agrees.
    """
    own = cells[(cells["train_task"] == cells["eval_task"]) & (cells["decoding"] == GREEDY)]
    drawn = (own[f"sr_{s}"] * (1 - own[f"sr_{s}"]) / own[n] for s, n in SIDES.items())
    paired = (own["only_a"] + own["only_b"]) / own["worlds"] ** 2
    own = own.assign(
        difference=own["sr_b"] - own["sr_a"], chance=paired.where(own["paired"], sum(drawn))
    )
    groups = own.groupby("policy", sort=False)
    table = groups["difference"].agg(["size", "mean", "sem"])
    # Few trainings may happen to differ alike; they are not known better than their worlds tell.
    table["sem"] = table["sem"].clip(lower=groups["chance"].sum() ** 0.5 / table["size"])
    table = table[table["size"] > 1]
    reach = stats.t.ppf(1 - level / 2 / max(1, len(table)), table["size"] - 1) * table["sem"]
    table = table.assign(low=table["mean"] - reach, high=table["mean"] + reach)
    table["agrees"] = (table["low"] <= 0) & (table["high"] >= 0)
    return table.drop(columns="sem").rename(columns={"size": "trainings"}).reset_index()


def describe_trainings(table: pd.DataFrame) -> Iterator[str]:
    """A line for every policy: 'sft        +0.01 [-0.02, +0.04], 4 trainings'."""
    width = table["policy"].str.len().max()
    for row in table.itertuples():
        mark = "" if row.agrees else "  DIFFERS"
        interval = f"{row.mean:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
        yield f"  {row.policy:{width}}  {interval}, {row.trainings} trainings{mark}"
