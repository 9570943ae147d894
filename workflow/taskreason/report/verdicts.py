"""Phrases that say how the paper's claims fared, computed from the data of this run.

Input: `Results` and the published numbers; output: macro name -> phrase such as "on 3 of the 4
tasks". The paper's sentences are built around these phrases, so that they stay true whatever a
rerun finds.
"""

from collections.abc import Iterable
from itertools import combinations
from statistics import fmean

from taskreason.report.labels import GRID_POLICY, task_title
from taskreason.report.published import Published
from taskreason.report.results import Results, split_trainings
from taskreason.report.tex import format_rate

TRAINED = ("base", "sft", "sft_grpo")


def count_tasks(holds: Iterable[bool], total: int) -> str:
    """'on 3 of the 4 tasks'; 'on no task' when there is none to count."""
    if total == 0:
        return "on no task"
    number = sum(holds)
    noun = "task" if total == 1 else "tasks"
    return f"on {number or 'none'} of the {total} {noun}"


def make_verdicts(results: Results, published: Published) -> dict[str, str]:
    """All verdict macros. Tasks are taken to be listed from simple to complex."""
    return (
        _policy_verdicts(results, published)
        | _grid_verdicts(results, published)
        | _seed_verdicts(results)
    )


def _policy_verdicts(results: Results, published: Published) -> dict[str, str]:
    tasks, total = results.tasks, len(results.tasks)
    cells = {task: [results.cell(policy, task) for policy in TRAINED] for task in tasks}
    sr = {task: [cell.metrics.sr for cell in cells[task]] for task in tasks}
    gains = {task: results.gain("sft_grpo", "sft", task) for task in tasks}
    longer = {
        task: results.gain("sft_grpo", "sft_longer", task)
        for task in tasks
        if results.cell("sft_longer", task)
    }
    single = {
        task: [cell.single_turn_optimal_rate or 0.0 for cell in cells[task]] for task in tasks
    }
    improved = [task for task in tasks if single[task][2] > single[task][1]]
    theirs = {task: published.main_cell(task, GRID_POLICY) for task in tasks}
    known = [task for task in tasks if theirs[task]]
    best = max(tasks, key=lambda task: sr[task][2])
    worst = min(tasks, key=lambda task: sr[task][2])
    last = [cells[task][2].metrics for task in tasks]
    return {
        "NumberOfTasks": str(total),
        "VerdictOrdering": count_tasks((sr[t][2] > sr[t][1] > sr[t][0] for t in tasks), total),
        "VerdictSftHelps": count_tasks((sr[t][1] > sr[t][0] for t in tasks), total),
        "VerdictGrpoHelps": count_tasks((sr[t][2] > sr[t][1] for t in tasks), total),
        "VerdictGrpoSignificant": count_tasks((gains[t][1] > 0 for t in tasks), total),
        "VerdictGrpoHarms": count_tasks((gains[t][2] < 0 for t in tasks), total),
        "VerdictOverLongerSignificant": count_tasks(
            (gain[1] > 0 for gain in longer.values()), len(longer)
        ),
        "VerdictOverLongerHarms": count_tasks(
            (gain[2] < 0 for gain in longer.values()), len(longer)
        ),
        "VerdictFewerSteps": count_tasks(
            (cells[t][2].metrics.asat < cells[t][1].metrics.asat for t in tasks), total
        ),
        "VerdictSingleTurn": count_tasks((t in improved for t in tasks), total),
        "VerdictBothImprove": count_tasks((sr[t][2] > sr[t][1] for t in improved), len(improved)),
        "VerdictAtLeastPublished": count_tasks(
            (sr[t][2] >= theirs[t].sr for t in known), len(known)
        ),
        "VerdictAbovePublished": count_tasks(
            (cells[t][2].metrics.sr_low > theirs[t].sr for t in known), len(known)
        ),
        "BestTask": task_title(best).lower(),
        "BestSr": format_rate(sr[best][2]),
        "WorstTask": task_title(worst).lower(),
        "WorstSr": format_rate(sr[worst][2]),
        "MeanSrBase": format_rate(fmean(sr[t][0] for t in tasks)),
        "MeanSrSft": format_rate(fmean(sr[t][1] for t in tasks)),
        "MeanSrSftGrpo": format_rate(fmean(sr[t][2] for t in tasks)),
        "MeanMinimalSftGrpo": format_rate(fmean(metrics.minimal_rate for metrics in last)),
        "MeanInvalidSftGrpo": format_rate(fmean(metrics.invalid_rate for metrics in last)),
        "MeanMalformedSftGrpo": format_rate(fmean(metrics.malformed_rate for metrics in last)),
    }


def _grid_verdicts(results: Results, published: Published) -> dict[str, str]:
    def rate(train_task: str, eval_task: str) -> float:
        return results.cell(GRID_POLICY, eval_task, train_task).metrics.sr

    def describe(pairs: list[tuple[str, str]], theirs: bool) -> str:
        if theirs:
            rates = [published.grid[pair].sr for pair in pairs if pair in published.grid]
        else:
            rates = [rate(*pair) for pair in pairs]
        return format_rate(fmean(rates) if rates else None)

    # Above the diagonal a model is trained on the simpler of two tasks, below it on the other.
    above = list(combinations(results.tasks, 2))
    below = [(complex_task, simple) for simple, complex_task in above]
    stronger = sum(rate(b, a) > rate(a, b) for a, b in above)
    working = sum(rate(*pair) > 0 for pair in below)
    return {
        "GridMeanDown": describe(below, theirs=False),
        "GridMeanUp": describe(above, theirs=False),
        "PubGridMeanDown": describe(below, theirs=True),
        "PubGridMeanUp": describe(above, theirs=True),
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

    def rate(view: Results, train_task: str, eval_task: str) -> float:
        return view.cell(GRID_POLICY, eval_task, train_task).metrics.sr

    own = [rate(view, task, task) for view in views for task in results.tasks]
    below = [rate(view, hard, easy) for view in views for easy, hard in pairs]
    stronger = sum(
        rate(view, hard, easy) > rate(view, easy, hard) for view in views for easy, hard in pairs
    )
    total = len(pairs) * len(views)
    return {
        "SeedTrainingsAbove": count(gain > 0 for gain, _, _ in gains),
        "SeedTrainingsBelow": count(gain < 0 for gain, _, _ in gains),
        "SeedTrainingsSignificant": count(low > 0 for _, low, _ in gains),
        "SeedLowestOwn": format_rate(min(own)),
        "SeedLowestDown": format_rate(min([*own, *below])),
        "SeedDownBeatsUp": f"in {stronger or 'none'} of the {total} pairs of tasks and seeds",
    }
