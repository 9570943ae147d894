"""Phrases that say how the paper's claims fared, computed from the data of this run, and means of success rates.

Output: macro name -> phrase such as "on 3 of the 4 tasks". The sentences of the paper and of the page are built around
these phrases, so that they stay true whatever a rerun finds. An order of policies is called by intervals
(:mod:`taskreason.rollouts.orders`). Tasks are taken to be listed from simple to complex.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import hypot

import pandas as pd

from taskreason.report.labels import GRID_POLICY, MAIN_POLICIES, is_base, label_policy, task_title
from taskreason.report.render.latex import MISSING, escape, format_interval, format_rate
from taskreason.report.results import Cell, Results, split_trainings
from taskreason.rollouts.metrics import paired_saving, wilson_interval
from taskreason.rollouts.orders import (
    HELD,
    OPEN,
    REVERSED,
    Rate,
    compare_rates,
    judge_chain,
    judge_order,
)

Pair = tuple[str, str]
"""Training task and evaluation task."""


def average_rates(groups: Iterable[Sequence[Rate]]) -> Rate:
    """Mean over all rates, with an interval made of theirs; those of a group rest on the same worlds.

    Half-widths are squared and added over groups (the method of Zou and Donner, 2008, which keeps Wilson's intervals
    honest where all rates are one). Rates on the same worlds are taken to move together: theirs are added as they are,
    which is never too narrow.
    """
    groups = [list(group) for group in groups]
    rates = [rate for group in groups for rate, _, _ in group]
    if not rates:
        raise ValueError("no rate to average")
    mean, number = sum(rates) / len(rates), len(rates)
    below = hypot(*(sum(rate - low for rate, low, _ in group) for group in groups)) / number
    above = hypot(*(sum(high - rate for rate, _, high in group) for group in groups)) / number
    return mean, max(0.0, mean - below), min(1.0, mean + above)


def tell_order(verdicts: Sequence[str]) -> str:
    """'on 2 of the 4 tasks (reversed on none, open on 2)'."""
    rest = (f"{kind} on {verdicts.count(kind) or 'none'}" for kind in (REVERSED, OPEN))
    return f"{count_tasks([kind == HELD for kind in verdicts])} ({', '.join(rest)})"


def average_grid(rates: Mapping[Pair, Rate], pairs: Sequence[Pair]) -> Rate:
    """Mean over cells; one evaluation task has one set of worlds."""
    tasks = dict.fromkeys(task for _, task in pairs)
    return average_rates([rates[pair] for pair in pairs if pair[1] == task] for task in tasks)


def print_rate(rate: Rate) -> str:
    """'0.93 [0.86, 0.97]'."""
    return f"{format_rate(rate[0])} {format_interval(*rate[1:])}"


def read_rate(row: pd.Series, key: str = "sr") -> Rate:
    """A rate of a table's row with the ends of its interval."""
    return tuple(row[f"{key}{end}"] for end in ("", "_low", "_high"))


def count(holds: Sequence[bool]) -> str:
    """'3 of the 4', or 'none of the 4'."""
    return f"{sum(holds) or 'none'} of the {len(holds)}"


def count_tasks(holds: Sequence[bool]) -> str:
    """'on 3 of the 4 tasks'; for a single one 'on the one task' or 'on no task', as when there is none."""
    if len(holds) <= 1:
        return "on the one task" if sum(holds) else "on no task"
    return f"on {count(holds)} tasks"


def judge_tables(
    comparison: pd.DataFrame, baselines: pd.DataFrame, gains: pd.DataFrame
) -> dict[str, str]:
    """How the claims fare by the tables of these names."""
    rows, tasks = baselines.set_index(["policy", "task"]), list(baselines["task"].unique())
    grpo = rows.loc[GRID_POLICY, "sr"]
    own = comparison[(comparison["part"] == "main") & (comparison["policy"] == GRID_POLICY)]
    known = own.dropna(subset="published_sr")
    means = {
        name: average_rates([read_rate(rows.loc[(policy, task)])] for task in tasks)
        for name, policy in (("Base", "base"), ("Sft", "sft"), ("SftGrpo", GRID_POLICY))
    }
    ends = {"Best": grpo.idxmax(), "Worst": grpo.idxmin()}
    return {
        "NumberOfTasks": str(len(tasks)),
        **_judge_gains(gains),
        "VerdictAtLeastPublished": count_tasks(known["sr"] >= known["published_sr"]),
        "VerdictAbovePublished": count_tasks(known["sr_low"] > known["published_sr"]),
        **{f"{end}Task": task_title(task).lower() for end, task in ends.items()},
        **{
            f"{end}Sr": print_rate(read_rate(rows.loc[(GRID_POLICY, task)]))
            for end, task in ends.items()
        },
        **{f"MeanSr{name}": print_rate(mean) for name, mean in means.items()},
        **_judge_untrained(rows, gains, tasks),
        **_judge_grid(comparison[comparison["part"] == "grid"], tasks),
    }


def _judge_gains(gains: pd.DataFrame) -> dict[str, str]:
    """On how many tasks each gain is above zero, and on how many below, with all of its interval.

    A gain over a control that the run does not have is one on no task.
    """
    over = gains["over"]
    parts = {
        "Sft": gains[gains["policy"] == "sft"],
        "Grpo": gains[over == "sft"],
        "OverLonger": gains[over == "sft_longer"],
        "OverDirect": gains[over == "grpo"],
        "OverRule": gains[~over.isin(MAIN_POLICIES) & ~over.map(is_base)],
    }
    told = {}
    for name, part in parts.items():
        for decoding, before in (("", ""), ("Sampled", "sampled_")):
            known = part.dropna(subset=f"{before}gain")
            ends = zip(known[f"{before}gain_low"], known[f"{before}gain_high"], strict=True)
            verdicts = [judge_order(*pair) for pair in ends]
            for kind, word in ((HELD, "Helps"), (REVERSED, "Harms")):
                told[f"Verdict{name}{decoding}{word}"] = count_tasks([v == kind for v in verdicts])
    links = [
        part.set_index("task")[["gain_low", "gain_high"]] for part in (parts["Sft"], parts["Grpo"])
    ]
    chains = [
        judge_chain([judge_order(*link.loc[task]) for link in links]) for task in links[0].index
    ]
    return told | {"VerdictOrdering": tell_order(chains)}


def _judge_untrained(
    rows: pd.DataFrame, gains: pd.DataFrame, tasks: Sequence[str]
) -> dict[str, str]:
    """SFT+GRPO against the best of the models that are evaluated without training, the base model among them."""
    others = [policy for policy in rows.index.unique("policy") if is_base(policy)]
    best = {task: max(others, key=lambda policy: rows.loc[(policy, task), "sr"]) for task in tasks}
    lows = gains.set_index(["policy", "over", "task"])["gain_low"]
    ahead = [lows[GRID_POLICY, best[task], task] > 0 for task in tasks]
    top = max(tasks, key=lambda task: rows.loc[(best[task], task), "sr"])
    rate = print_rate(read_rate(rows.loc[(best[top], top)]))
    return {
        "UntrainedBest": f"{escape(label_policy(best[top]))}, on {task_title(top).lower()}: {rate}",
        "VerdictOverUntrained": count_tasks(ahead),
    }


def _judge_grid(rows: pd.DataFrame, tasks: Sequence[str]) -> dict[str, str]:
    """Cells below the diagonal are trained on the more complex of two tasks, those above it on the other."""
    grid = rows.set_index(["train_task", "eval_task"])
    above = list(combinations(tasks, 2))
    below = [pair[::-1] for pair in above]

    def describe(pairs: Sequence[Pair], key: str) -> str:
        rates = {pair: read_rate(grid.loc[pair], key) for pair in pairs}
        known = [pair for pair in pairs if not pd.isna(rates[pair][0])]
        return print_rate(average_grid(rates, known)) if known else MISSING

    down, up = ([read_rate(grid.loc[pair]) for pair in pairs] for pairs in (below, above))
    return {
        "GridMeanDown": describe(below, "sr"),
        "GridMeanUp": describe(above, "sr"),
        "PubGridMeanDown": describe(below, "published_sr"),
        "PubGridMeanUp": describe(above, "published_sr"),
        "VerdictDownBeatsUp": f"in {count(compare_rates(down, up))} pairs of tasks",
        "VerdictDownWorks": f"in {count([rate[0] > 0 for rate in down])} cells",
    }


def read_single_turn(cell: Cell, confidence: float) -> Rate:
    """Share of unseen expert states with an optimal reply, and Wilson's interval for that number of states."""
    share, states = cell.single_turn_optimal_rate or 0.0, cell.single_turn_states
    return share, *wilson_interval(share * states, states, confidence)


def judge_results(results: Results) -> dict[str, str]:
    """How the claims fare by what only the results tell: steps, single replies, kinds of replies, and each training."""
    tasks, confidence = results.tasks, results.cfg.report.confidence
    pair = GRID_POLICY, "sft"
    grpo = pd.DataFrame([results.cell(GRID_POLICY, task).to_row() for task in tasks])
    rates = (
        [read_single_turn(results.cell(policy, task), confidence) for task in tasks]
        for policy in pair
    )
    single = compare_rates(*rates)
    gains = [results.gain(*pair, task) for task in tasks]
    savings = [
        paired_saving(
            *(results.episodes[results.key(policy, task)] for policy in pair),
            results.cfg.timeout_of(task),
            confidence,
        )
        for task in tasks
    ]
    both = [low > 0 for (_, low, _), better in zip(gains, single, strict=True) if better]
    # What is in one world goes together: as many trials as there are worlds.
    worlds, means = [len(results.worlds[task]) for task in tasks], {}
    for name in ("minimal", "invalid", "malformed"):
        shares = zip(grpo[f"{name}_rate"], worlds, strict=True)
        rates = [[(share, *wilson_interval(share * n, n, confidence))] for share, n in shares]
        means[f"Mean{name.title()}SftGrpo"] = print_rate(average_rates(rates))
    return {
        "VerdictFewerSteps": count_tasks([low > 0 for _, low, _ in savings]),
        "VerdictSingleTurn": count_tasks(single),
        "VerdictBothImprove": count_tasks(both),
        **means,
        **_judge_trainings(results),
    }


def _judge_trainings(results: Results) -> dict[str, str]:
    """Whether the conclusions hold in each training, one a task and seed."""
    views, tasks = list(split_trainings(results)), results.tasks
    gains = [view.gain(GRID_POLICY, "sft", task) for view in views for task in tasks]

    def list_rates(pairs: Sequence[Pair]) -> list[Rate]:
        cells = (view.cell(GRID_POLICY, to, of) for view in views for of, to in pairs)
        return [cell.metrics.rate for cell in cells]

    above = list(combinations(tasks, 2))
    own, up = list_rates([(task, task) for task in tasks]), list_rates(above)
    down = list_rates([pair[::-1] for pair in above])
    return {
        "SeedTrainingsAbove": count([gain > 0 for gain, _, _ in gains]),
        "SeedTrainingsBelow": count([gain < 0 for gain, _, _ in gains]),
        "SeedTrainingsSignificant": count([low > 0 for _, low, _ in gains]),
        "SeedLowestOwn": print_rate(min(own)),
        "SeedLowestDown": print_rate(min([*own, *down])),
        "SeedDownBeatsUp": f"in {count(compare_rates(down, up))} pairs of tasks and seeds",
    }


def print_range(values: pd.Series, decimals: int = 2) -> str:
    """'0.93 to 0.99', a single number where all are the same, two dashes where there are none."""
    values = values.dropna()
    if values.empty:
        return MISSING
    ends = (f"{value:.{decimals}f}" for value in (values.min(), values.max()))
    return " to ".join(dict.fromkeys(ends))
