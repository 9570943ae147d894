"""What the page says first: success rates of the four policies, GRPO's gain, and in how many tasks claims hold.

Input: comparison.csv and baselines.csv; output: a table with one row a task, which README.md shows as well, and
sentences.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import pandas as pd

from taskreason.report.labels import GRID_POLICY, POLICIES, is_compared, label_policy
from taskreason.report.numbers.means import (
    Rate,
    average_grid,
    average_rates,
    count_tasks,
    print_rate,
)
from taskreason.report.tables.gains import name_gain
from taskreason.report.tables.main import TASK
from taskreason.report.tables.spec import SIGNED, Column, Spec, spread

ENDS = ("", "_low", "_high")
GAIN = name_gain("sft")
HEADLINE = Spec(
    names=[TASK],
    values=[
        *(Column(policy, label_policy(policy)) for policy in POLICIES),
        Column("gain", "Gain of GRPO over SFT", SIGNED),
        Column("published", f"{label_policy(GRID_POLICY)}, published"),
    ],
)


def make_headline(comparison: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """One row a task: SR of the paper's policies, GRPO's gain over SFT, and the published SR after GRPO."""
    main = _index_main(comparison)
    rows = []
    for task in baselines["task"].unique():
        rates = {policy: _read(main.loc[(policy, task)], "sr") for policy in POLICIES}
        rates["published"] = _read(main.loc[(GRID_POLICY, task)], "published_sr")
        rates["gain"] = _read(baselines.set_index(["row", "task"]).loc[(GAIN, task)], "gain")
        rows.append({"task": task} | spread(rates))
    return pd.DataFrame(rows)


def list_findings(comparison: pd.DataFrame, baselines: pd.DataFrame) -> Iterator[str]:
    """Sentences on the paper's claims, each with what this run counts."""
    tasks, main = list(baselines["task"].unique()), _index_main(comparison)
    grid = comparison[comparison["part"] == "grid"].set_index(["train_task", "eval_task"])
    sr = {policy: main.loc[policy].loc[tasks, "sr"] for policy in POLICIES}
    gains = baselines[baselines["row"] == GAIN]

    def count(holds: Iterable[bool], total: int = len(tasks)) -> str:
        return count_tasks(holds, total)

    means = [
        print_rate(average_rates([_read(main.loc[(policy, task)], "sr")] for task in tasks))
        for policy in POLICIES[1:]
    ]
    yield (
        f"On average over the tasks the success rate goes from {means[0]} (base) through {means[1]} (SFT) "
        f"to {means[2]} (SFT + GRPO)."
    )
    yield (
        f"SFT improves on the base model {count(sr['sft'] > sr['base'])}, and GRPO on SFT "
        f"{count(sr[GRID_POLICY] > sr['sft'])}; the interval of GRPO's gain lies above zero "
        f"{count(gains['gain_low'] > 0)} and below zero {count(gains['gain_high'] < 0)}."
    )
    compared = [policy for policy in baselines["row"].unique() if is_compared(policy)]
    if compared:
        over = baselines[baselines["row"].isin(map(name_gain, compared))]
        ahead = over.groupby("task")["gain_low"].min() > 0
        yield (
            "SFT + GRPO is ahead of what is evaluated untrained "
            f"({'; '.join(map(label_policy, compared))}), the interval of each gain above zero, {count(ahead)}."
        )
    known = main.loc[GRID_POLICY].dropna(subset="published_sr")
    if len(known):
        reached = count(known["sr"] >= known["published_sr"], len(known))
        yield f"SFT + GRPO reaches at least the published success rate {reached}."
    upward = list(combinations(tasks, 2))
    if upward:
        down, up = (_describe(grid, pairs) for pairs in ([pair[::-1] for pair in upward], upward))
        yield (
            f"Trained on the more complex of two tasks and evaluated on the simpler, the mean success rate is {down}; "
            f"the other way round it is {up}."
        )


def _index_main(comparison: pd.DataFrame) -> pd.DataFrame:
    return comparison[comparison["part"] == "main"].set_index(["policy", "eval_task"])


def _read(row: Mapping, key: str) -> Rate:
    """A rate of a row and the ends of its interval."""
    low, middle, high = (row.get(f"{key}{end}") for end in ("_low", "", "_high"))
    return middle, low, high


def _describe(grid: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> str:
    """The mean SR over cells of the grid, and the published one of those that the paper prints."""
    ours = {pair: _read(grid.loc[pair], "sr") for pair in pairs}
    shown = print_rate(average_grid(ours, pairs))
    theirs = {pair: _read(grid.loc[pair], "published_sr") for pair in pairs}
    printed = [pair for pair in pairs if not pd.isna(theirs[pair][0])]
    if printed:
        shown += f" (published: {print_rate(average_grid(theirs, printed))})"
    return shown
