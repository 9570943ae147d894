"""What the reference run says of each of the paper's claims, as the table of docs/claims.md.

Input: the reference's outcomes, world by world; output: Markdown. A gain counts where its interval, paired by world,
lies above zero.
"""

from collections.abc import Iterator
from itertools import permutations

import pandas as pd

from taskreason.config.load import load_config
from taskreason.report.labels import is_base
from taskreason.report.render.tables import format_rows
from taskreason.rollouts.metrics import paired_gain
from taskreason.studies.reference import GREEDY, read_reference, select_cell

TABLES = "results/tables"
HEAD = ["", "Claim", "Command", "Shown by", "Counts as the same if", "In the reference"]


def make_table() -> str:
    """A row a claim."""
    env = load_config({}).env
    outcomes, provenance = read_reference(env.data / "reference" / "laptop")
    tasks = provenance["config"]["tasks"]
    commit = (provenance["commit"] or "")[:7]
    rows = list(list_claims(outcomes, tasks))
    return (
        f"{format_rows(HEAD, rows)}\n\nThe last column is computed from the reference's outcomes (commit {commit}) by "
        "`benchmarks/claims.py`; brackets are the gains on the tasks, in their order."
    )


def list_claims(outcomes: pd.DataFrame, tasks: list[str]) -> Iterator[tuple[str, ...]]:
    """Number, claim, command, table or figure, tolerance, what was found."""

    def gains(better: str, worse: str, decoding: str = GREEDY) -> str:
        found = [
            paired_gain(*(select_cell(outcomes, p, task, task, decoding) for p in (better, worse)))
            for task in tasks
        ]
        shown = ", ".join(f"{gain:+.2f}" for gain, *_ in found)
        return f"{sum(low > 0 for _, low, _ in found)} of {len(found)} tasks [{shown}]"

    same = "`taskreason verify` says AGREES"
    yield (
        "C1",
        "SFT does better than the base model",
        command("gains"),
        "`gains.csv`, over base",
        "the interval of the gain lies above zero on every task",
        gains("sft", "base"),
    )
    yield (
        "C1",
        "SFT + GRPO does better than SFT",
        command("gains"),
        "`gains.csv`, over SFT",
        "the interval of the gain lies above zero on every task",
        gains("sft_grpo", "sft"),
    )
    yield (
        "–",
        "SFT + GRPO does better than SFT on as many replies (our control)",
        command("gains"),
        "`gains.csv`, over longer SFT",
        same,
        f"greedy: {gains('sft_grpo', 'sft_longer')}; "
        f"sampled: {gains('sft_grpo', 'sft_longer', 'T1')}",
    )
    yield (
        "C2",
        "Success in single decisions carries over to episodes, by the recursion",
        "`snakemake theory`",
        "`theory_recursion.csv`, `theory_multi.csv`",
        "the test of the recursion does not reject it over all episodes",
        "see [the theory](results.md#the-theory)",
    )
    down, up = grid_means(outcomes, tasks)
    yield (
        "C3",
        "A model trained on a complex task also solves simpler ones, and less so the other way round",
        command("generalization"),
        "`generalization.csv`, `generalization_sr.pdf`",
        "the mean below the diagonal lies above that over it",
        f"complex to simple {down:.2f}, simple to complex {up:.2f}",
    )
    untrained = filter(is_base, outcomes["policy"].unique())
    yield (
        "C4",
        "A small trained model beats larger ones that are only prompted",
        command("baselines"),
        "`baselines.csv`",
        "not tested: models here are untrained on the tasks, and none is larger",
        "; ".join(f"over {model}: {gains('sft_grpo', model)}" for model in untrained),
    )


def command(table: str) -> str:
    """What makes a table and no more than it needs."""
    return f"`snakemake {TABLES}/{table}.csv`"


def grid_means(outcomes: pd.DataFrame, tasks: list[str]) -> tuple[float, float]:
    """Mean success rate from the more complex of two tasks to the simpler, and the other way round."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for trained, task in permutations(tasks, 2):
        cell = select_cell(outcomes, "sft_grpo", trained, task)
        rates[tasks.index(trained) > tasks.index(task)].append(cell["success"].mean())
    return tuple(sum(part) / len(part) for part in rates.values())
