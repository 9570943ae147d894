"""Phrases that say how the paper's claims fared, computed from the data of this run.

Input: `Results` and the published numbers; output: macro name -> phrase such as "on 3 of the 4
tasks". The paper's sentences are built around these phrases, so that they stay true whatever a
rerun finds. Tasks are taken to be listed from simple to complex.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from taskreason.report.labels import GRID_POLICY, is_compared, label_policy, task_title
from taskreason.report.numbers.means import (
    Rate,
    average_grid,
    average_rates,
    count_tasks,
    print_rate,
)
from taskreason.report.published import Published
from taskreason.report.render.latex import MISSING, escape
from taskreason.report.results import Cell, Results, split_trainings
from taskreason.rollouts.metrics import wilson_interval


def make_verdicts(results: Results, published: Published) -> dict[str, str]:
    """All verdict macros."""
    return (
        _policy_verdicts(results)
        | _published_verdicts(results, published)
        | _mean_verdicts(results)
        | _untrained_verdicts(results)
        | _grid_verdicts(results, published)
        | _seed_verdicts(results)
    )


def _list_cells(results: Results, policy: str) -> list[Cell]:
    return [results.cell(policy, task) for task in results.tasks]


def _policy_verdicts(results: Results) -> dict[str, str]:
    base, sft, grpo = (_list_cells(results, policy) for policy in ("base", "sft", GRID_POLICY))
    total = len(grpo)

    def count(holds: Iterable[bool], of: int = total) -> str:
        return count_tasks(holds, of)

    rates = [[cell.metrics.sr for cell in cells] for cells in zip(base, sft, grpo, strict=True)]
    gains = [results.gain(GRID_POLICY, "sft", task) for task in results.tasks]
    longer = [
        results.gain(GRID_POLICY, "sft_longer", task)
        for task in results.tasks
        if results.cell("sft_longer", task)
    ]
    single = [
        (after.single_turn_optimal_rate or 0.0) > (before.single_turn_optimal_rate or 0.0)
        for before, after in zip(sft, grpo, strict=True)
    ]
    improved = [rate for rate, better in zip(rates, single, strict=True) if better]
    fewer = (a.metrics.asat < b.metrics.asat for a, b in zip(grpo, sft, strict=True))
    best, worst = (end(grpo, key=lambda cell: cell.metrics.sr) for end in (max, min))
    return {
        "NumberOfTasks": str(total),
        "VerdictOrdering": count(b < s < g for b, s, g in rates),
        "VerdictSftHelps": count(b < s for b, s, _ in rates),
        "VerdictGrpoHelps": count(s < g for _, s, g in rates),
        "VerdictGrpoSignificant": count(low > 0 for _, low, _ in gains),
        "VerdictGrpoHarms": count(high < 0 for _, _, high in gains),
        "VerdictOverLongerSignificant": count((low > 0 for _, low, _ in longer), len(longer)),
        "VerdictOverLongerHarms": count((high < 0 for _, _, high in longer), len(longer)),
        "VerdictFewerSteps": count(fewer),
        "VerdictSingleTurn": count(single),
        "VerdictBothImprove": count((s < g for _, s, g in improved), len(improved)),
        "BestTask": task_title(best.eval_task).lower(),
        "BestSr": print_rate(best.metrics.rate),
        "WorstTask": task_title(worst.eval_task).lower(),
        "WorstSr": print_rate(worst.metrics.rate),
    }


def _published_verdicts(results: Results, published: Published) -> dict[str, str]:
    """SFT+GRPO on the tasks for which the paper prints it."""
    pairs = [
        (cell.metrics, theirs.sr)
        for cell in _list_cells(results, GRID_POLICY)
        if (theirs := published.main_cell(cell.eval_task, GRID_POLICY))
    ]
    above = {
        "AtLeast": [m.sr >= sr for m, sr in pairs],
        "Above": [m.sr_low > sr for m, sr in pairs],
    }
    return {
        f"Verdict{name}Published": count_tasks(holds, len(pairs)) for name, holds in above.items()
    }


def _mean_verdicts(results: Results) -> dict[str, str]:
    """Means over tasks; a share of episodes or replies has Wilson's interval for the number of worlds."""
    means = {
        f"MeanSr{name}": print_rate(
            average_rates([cell.metrics.rate] for cell in _list_cells(results, policy))
        )
        for name, policy in (("Base", "base"), ("Sft", "sft"), ("SftGrpo", GRID_POLICY))
    }
    for name in ("minimal", "invalid", "malformed"):
        rates = []
        for cell in _list_cells(results, GRID_POLICY):
            # What is in one world goes together.
            share, worlds = (
                getattr(cell.metrics, f"{name}_rate"),
                len(results.worlds[cell.eval_task]),
            )
            interval = wilson_interval(share * worlds, worlds, results.cfg.report.confidence)
            rates.append([(share, *interval)])
        means[f"Mean{name.title()}SftGrpo"] = print_rate(average_rates(rates))
    return means


def _untrained_verdicts(results: Results) -> dict[str, str]:
    """SFT+GRPO against the best of the models that are evaluated without training, next to the base model."""
    others = [policy for policy in results.policies if is_compared(policy)]
    if not others:
        return dict.fromkeys(("UntrainedBest", "VerdictOverUntrained"), MISSING)
    best = [
        max((results.cell(policy, task) for policy in others), key=lambda cell: cell.metrics.sr)
        for task in results.tasks
    ]
    top = max(best, key=lambda cell: cell.metrics.sr)
    gains = [results.gain(GRID_POLICY, cell.policy, cell.eval_task) for cell in best]
    place = f"{escape(label_policy(top.policy))}, on {task_title(top.eval_task).lower()}"
    return {
        "UntrainedBest": f"{place}: {print_rate(top.metrics.rate)}",
        "VerdictOverUntrained": count_tasks((low > 0 for _, low, _ in gains), len(gains)),
    }


def _grid_verdicts(results: Results, published: Published) -> dict[str, str]:
    def describe(rates: Mapping[tuple[str, str], Rate], pairs: Sequence[tuple[str, str]]) -> str:
        known = [pair for pair in pairs if pair in rates]
        return print_rate(average_grid(rates, known)) if known else MISSING

    ours = {
        (train, task): results.cell(GRID_POLICY, task, train).metrics.rate
        for train in results.tasks
        for task in results.tasks
    }
    theirs = {
        pair: (cell.sr, *published.interval(cell, results.cfg.report.confidence))
        for pair, cell in published.grid.items()
    }
    # Above the diagonal a model is trained on the simpler of two tasks, below it on the other.
    above = list(combinations(results.tasks, 2))
    below = [pair[::-1] for pair in above]
    stronger = sum(ours[pair][0] > ours[pair[::-1]][0] for pair in below)
    working = sum(ours[pair][0] > 0 for pair in below)
    return {
        "GridMeanDown": describe(ours, below),
        "GridMeanUp": describe(ours, above),
        "PubGridMeanDown": describe(theirs, below),
        "PubGridMeanUp": describe(theirs, above),
        "VerdictDownBeatsUp": f"in {stronger or 'none'} of the {len(above)} pairs of tasks",
        "VerdictDownWorks": f"in {working or 'none'} of the {len(below)} cells",
    }


def _seed_verdicts(results: Results) -> dict[str, str]:
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
