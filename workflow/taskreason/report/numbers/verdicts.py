"""Phrases that say how the paper's claims fared, computed from the data of this run.

Input: `Results` and the published numbers; output: macro name -> phrase such as "on 3 of the 4
tasks". The paper's sentences are built around these phrases, so that they stay true whatever a
rerun finds.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

from taskreason.report.labels import GRID_POLICY, is_compared, label_policy, task_title
from taskreason.report.numbers.means import Rate, average_grid, average_rates, read_rate
from taskreason.report.published import Published
from taskreason.report.render.latex import MISSING, escape, format_interval, format_rate
from taskreason.report.results import Cell, Results, split_trainings
from taskreason.rollouts.metrics import wilson_interval

TRAINED = ("base", "sft", "sft_grpo")


def count_tasks(holds: Iterable[bool], total: int) -> str:
    """'on 3 of the 4 tasks'; 'on no task' when there is none to count."""
    if total == 0:
        return "on no task"
    number = sum(holds)
    if total == 1:
        return "on the one task" if number else "not on the one task"
    return f"on {number or 'none'} of the {total} tasks"


def print_rate(rate: Rate) -> str:
    """'0.93 [0.86, 0.97]'."""
    return f"{format_rate(rate[0])} {format_interval(*rate[1:])}"


def make_verdicts(results: Results, published: Published) -> dict[str, str]:
    """All verdict macros. Tasks are taken to be listed from simple to complex."""
    return (
        _policy_verdicts(results, published)
        | _untrained_verdicts(results)
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
        "BestSr": print_rate(read_rate(cells[best][2])),
        "WorstTask": task_title(worst).lower(),
        "WorstSr": print_rate(read_rate(cells[worst][2])),
        **{
            f"MeanSr{name}": print_rate(average_rates([read_rate(cells[t][place])] for t in tasks))
            for place, name in enumerate(("Base", "Sft", "SftGrpo"))
        },
        **{
            f"Mean{name.title()}SftGrpo": print_rate(
                average_rates([_rate_of(cells[t][2], f"{name}_rate", results)] for t in tasks)
            )
            for name in ("minimal", "invalid", "malformed")
        },
    }


def _untrained_verdicts(results: Results) -> dict[str, str]:
    """SFT+GRPO against the best of the models that are evaluated beside the base model, without training."""
    others = [policy for policy in results.policies if is_compared(policy)]
    if not others:
        return dict.fromkeys(("UntrainedBest", "VerdictOverUntrained"), MISSING)
    cells = {task: [results.cell(policy, task) for policy in others] for task in results.tasks}
    best = {task: max(found, key=lambda cell: cell.metrics.sr) for task, found in cells.items()}
    top = max(best.values(), key=lambda cell: cell.metrics.sr)
    gains = [results.gain(GRID_POLICY, best[task].policy, task) for task in results.tasks]
    task = task_title(top.eval_task).lower()
    return {
        "UntrainedBest": f"{escape(label_policy(top.policy))}, on {task}: {print_rate(read_rate(top))}",
        "VerdictOverUntrained": count_tasks((low > 0 for _, low, _ in gains), len(gains)),
    }


def _rate_of(cell: Cell, key: str, results: Results) -> Rate:
    """A share of episodes or replies with Wilson's interval for as many kitchens: what is in one goes together."""
    share, kitchens = getattr(cell.metrics, key), len(results.kitchens[cell.eval_task])
    return share, *wilson_interval(share * kitchens, kitchens, results.confidence)


def _grid_verdicts(results: Results, published: Published) -> dict[str, str]:
    def rate(train_task: str, eval_task: str) -> float:
        return results.cell(GRID_POLICY, eval_task, train_task).metrics.sr

    def describe(rates: Mapping[tuple[str, str], Rate], pairs: list[tuple[str, str]]) -> str:
        known = [pair for pair in pairs if pair in rates]
        return print_rate(average_grid(rates, known)) if known else MISSING

    ours = {
        (train, task): read_rate(results.cell(GRID_POLICY, task, train))
        for train in results.tasks
        for task in results.tasks
    }
    theirs = {
        pair: (cell.sr, *published.interval(cell, results.confidence))
        for pair, cell in published.grid.items()
    }
    # Above the diagonal a model is trained on the simpler of two tasks, below it on the other.
    above = list(combinations(results.tasks, 2))
    below = [(complex_task, simple) for simple, complex_task in above]
    stronger = sum(rate(b, a) > rate(a, b) for a, b in above)
    working = sum(rate(*pair) > 0 for pair in below)
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
        return read_rate(view.cell(GRID_POLICY, eval_task, train_task))

    own = [rate(view, task, task) for view in views for task in results.tasks]
    below = [rate(view, hard, easy) for view in views for easy, hard in pairs]
    stronger = sum(
        rate(view, hard, easy)[0] > rate(view, easy, hard)[0]
        for view in views
        for easy, hard in pairs
    )
    total = len(pairs) * len(views)
    return {
        "SeedTrainingsAbove": count(gain > 0 for gain, _, _ in gains),
        "SeedTrainingsBelow": count(gain < 0 for gain, _, _ in gains),
        "SeedTrainingsSignificant": count(low > 0 for _, low, _ in gains),
        "SeedLowestOwn": print_rate(min(own)),
        "SeedLowestDown": print_rate(min([*own, *below])),
        "SeedDownBeatsUp": f"in {stronger or 'none'} of the {total} pairs of tasks and seeds",
    }
