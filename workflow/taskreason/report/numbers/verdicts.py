"""Phrases that say how the paper's claims fared, computed from the data of this run.

Output: macro name -> phrase such as "on 3 of the 4 tasks". The sentences of the paper and of the page are built around
these phrases, so that they stay true whatever a rerun finds. Tasks are taken to be listed from simple to complex.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import pandas as pd

from taskreason.report.labels import GRID_POLICY, is_compared, label_policy, task_title
from taskreason.report.numbers.means import (
    Rate,
    average_grid,
    average_rates,
    count_tasks,
    print_rate,
)
from taskreason.report.render.latex import MISSING, escape
from taskreason.report.results import Results, split_trainings
from taskreason.report.tables.main import name_gain
from taskreason.rollouts.metrics import wilson_interval

ENDS = ("", "_low", "_high")


def read_rate(row: pd.Series, key: str = "sr") -> Rate:
    """A rate of a table's row with the ends of its interval."""
    return tuple(row[f"{key}{end}"] for end in ENDS)


def judge_tables(comparison: pd.DataFrame, baselines: pd.DataFrame) -> dict[str, str]:
    """How the claims fare by the tables of these names."""
    rows, tasks = baselines.set_index(["row", "task"]), list(baselines["task"].unique())
    gains, longer = (
        baselines[baselines["row"] == name_gain(worse)] for worse in ("sft", "sft_longer")
    )
    base, sft, grpo = (rows.loc[policy]["sr"] for policy in ("base", "sft", GRID_POLICY))
    own = comparison[(comparison["part"] == "main") & (comparison["policy"] == GRID_POLICY)]
    known = own.dropna(subset="published_sr")
    best, worst = rows.loc[(GRID_POLICY, grpo.idxmax())], rows.loc[(GRID_POLICY, grpo.idxmin())]

    def count(holds: pd.Series) -> str:
        return count_tasks(holds, len(holds))

    return {
        "NumberOfTasks": str(len(tasks)),
        "VerdictOrdering": count((base < sft) & (sft < grpo)),
        "VerdictSftHelps": count(base < sft),
        "VerdictGrpoHelps": count(sft < grpo),
        "VerdictGrpoSignificant": count(gains["gain_low"] > 0),
        "VerdictGrpoHarms": count(gains["gain_high"] < 0),
        "VerdictOverLongerSignificant": count(longer["gain_low"] > 0),
        "VerdictOverLongerHarms": count(longer["gain_high"] < 0),
        "VerdictAtLeastPublished": count(known["sr"] >= known["published_sr"]),
        "VerdictAbovePublished": count(known["sr_low"] > known["published_sr"]),
        "BestTask": task_title(grpo.idxmax()).lower(),
        "BestSr": print_rate(read_rate(best)),
        "WorstTask": task_title(grpo.idxmin()).lower(),
        "WorstSr": print_rate(read_rate(worst)),
        **{
            f"MeanSr{name}": print_rate(
                average_rates([read_rate(rows.loc[(policy, task)])] for task in tasks)
            )
            for name, policy in (("Base", "base"), ("Sft", "sft"), ("SftGrpo", GRID_POLICY))
        },
        **_judge_untrained(rows, tasks),
        **_judge_grid(comparison[comparison["part"] == "grid"], tasks),
    }


def _judge_untrained(rows: pd.DataFrame, tasks: Sequence[str]) -> dict[str, str]:
    """SFT+GRPO against the best of the models that are evaluated without training, next to the base model."""
    others = [row for row in rows.index.unique("row") if is_compared(row)]
    if not others:
        return dict.fromkeys(("UntrainedBest", "VerdictOverUntrained"), MISSING)
    best = {task: max(others, key=lambda policy: rows.loc[(policy, task), "sr"]) for task in tasks}
    ahead = [rows.loc[(name_gain(best[task]), task), "gain_low"] > 0 for task in tasks]
    top = max(tasks, key=lambda task: rows.loc[(best[task], task), "sr"])
    rate = print_rate(read_rate(rows.loc[(best[top], top)]))
    return {
        "UntrainedBest": f"{escape(label_policy(best[top]))}, on {task_title(top).lower()}: {rate}",
        "VerdictOverUntrained": count_tasks(ahead, len(ahead)),
    }


def _judge_grid(rows: pd.DataFrame, tasks: Sequence[str]) -> dict[str, str]:
    """Cells below the diagonal are trained on the more complex of two tasks, those above it on the other."""
    grid = rows.set_index(["train_task", "eval_task"])
    above = list(combinations(tasks, 2))
    below = [pair[::-1] for pair in above]

    def describe(pairs: Sequence[tuple[str, str]], key: str) -> str:
        rates = {pair: read_rate(grid.loc[pair], key) for pair in pairs}
        known = [pair for pair in pairs if not pd.isna(rates[pair][0])]
        return print_rate(average_grid(rates, known)) if known else MISSING

    down = [grid.loc[pair, "sr"] for pair in below]
    stronger = sum(sr > grid.loc[pair, "sr"] for sr, pair in zip(down, above, strict=True))
    return {
        "GridMeanDown": describe(below, "sr"),
        "GridMeanUp": describe(above, "sr"),
        "PubGridMeanDown": describe(below, "published_sr"),
        "PubGridMeanUp": describe(above, "published_sr"),
        "VerdictDownBeatsUp": f"in {stronger or 'none'} of the {len(above)} pairs of tasks",
        "VerdictDownWorks": f"in {sum(sr > 0 for sr in down) or 'none'} of the {len(below)} cells",
    }


def judge_results(results: Results) -> dict[str, str]:
    """How the claims fare by what only the results tell: steps, single replies, kinds of replies, and each training."""
    sft, grpo = (
        pd.DataFrame([results.cell(policy, task).to_row() for task in results.tasks])
        for policy in ("sft", GRID_POLICY)
    )
    single = grpo["single_turn_optimal_rate"].fillna(0) > sft["single_turn_optimal_rate"].fillna(0)
    both = (grpo["sr"] > sft["sr"])[single]
    means = {}
    for name in ("minimal", "invalid", "malformed"):
        rates = []
        for task, share in zip(results.tasks, grpo[f"{name}_rate"], strict=True):
            # What is in one world goes together: as many trials as there are worlds.
            worlds = len(results.worlds[task])
            interval = wilson_interval(share * worlds, worlds, results.cfg.report.confidence)
            rates.append([(share, *interval)])
        means[f"Mean{name.title()}SftGrpo"] = print_rate(average_rates(rates))
    return {
        "VerdictFewerSteps": count_tasks(grpo["asat"] < sft["asat"], len(grpo)),
        "VerdictSingleTurn": count_tasks(single, len(single)),
        "VerdictBothImprove": count_tasks(both, len(both)),
        **means,
        **_judge_trainings(results),
    }


def _judge_trainings(results: Results) -> dict[str, str]:
    """Whether the conclusions hold in each training, one a task and seed."""
    views = list(split_trainings(results))
    pairs = list(combinations(results.tasks, 2))
    gains = [view.gain(GRID_POLICY, "sft", task) for view in views for task in results.tasks]

    def count(holds: Iterable[bool]) -> str:
        return f"{sum(holds) or 'none'} of the {len(gains)}"

    def rate(view: Results, train_task: str, eval_task: str) -> Rate:
        return view.cell(GRID_POLICY, eval_task, train_task).metrics.rate

    own = [rate(view, task, task) for view in views for task in results.tasks]
    down = [rate(view, hard, easy) for view in views for easy, hard in pairs]
    up = [rate(view, easy, hard) for view in views for easy, hard in pairs]
    stronger = sum(below[0] > above[0] for below, above in zip(down, up, strict=True))
    return {
        "SeedTrainingsAbove": count(gain > 0 for gain, _, _ in gains),
        "SeedTrainingsBelow": count(gain < 0 for gain, _, _ in gains),
        "SeedTrainingsSignificant": count(low > 0 for _, low, _ in gains),
        "SeedLowestOwn": print_rate(min(own)),
        "SeedLowestDown": print_rate(min([*own, *down])),
        "SeedDownBeatsUp": f"in {stronger or 'none'} of the {len(down)} pairs of tasks and seeds",
    }
