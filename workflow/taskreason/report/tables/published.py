"""The published success rates under tests that the paper leaves out: what ten episodes a cell can carry.

Input: the paper's numbers alone. Each task's rate after SFT + GRPO is held against that after SFT, and against the
largest prompted model, by Fisher's exact test; all tasks together by the exact Cochran-Mantel-Haenszel test, which
keeps tasks apart, and by Fisher's on the sums, which does not. The smallest gain is that over the printed rate, taken
as true, which so many episodes would have shown with a chance of 0.8; none where even a rate of one would not have.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from taskreason.report.labels import GRID_POLICY, task_title
from taskreason.report.published import (
    LARGEST_PROMPTED,
    PUBLISHED_MODELS,
    Published,
    load_published,
)
from taskreason.report.results import Results
from taskreason.report.tables.spec import (
    COUNT,
    P_VALUE,
    RATE,
    SIGNED,
    Column,
    Spec,
    Table,
    columns,
    name,
)
from taskreason.studies.significance import (
    find_smallest,
    fisher,
    fisher_over_strata,
    fisher_power,
)

LEVEL = 0.05
"""Of each test by itself: the tests are not corrected for their number, which favours the paper."""
APART, TOGETHER = "tasks_apart", "tasks_together"
"""Name the rows over all tasks: task by task, and as if all episodes were of one task."""
LABELS = {APART: "All, task by task", TOGETHER: "All, as one"}
COLUMNS = ["before", "task", "episodes", "sr_before", "sr_after", "gain", "p", "smallest"]


def _label_task(task: str) -> str:
    return LABELS.get(task) or task_title(task)


SPECS = {
    "published_tests": [
        Spec(
            [name("before", "Gain over"), name("task", "Task", _label_task)],
            [
                *columns(COUNT, episodes="Episodes"),
                *columns(RATE, sr_before="SR|before", sr_after="SR|after"),
                Column("gain", "Gain", SIGNED),
                *columns(P_VALUE, p="p"),
                Column("smallest", "Smallest visible gain", SIGNED),
            ],
        )
    ]
}


def make_published_tests(results: Results) -> Table:
    """One row a published comparison and task, then two over all its tasks; empty where nothing is published."""
    published = load_published(results.cfg.env)
    records = [
        record
        for before in (PUBLISHED_MODELS["sft"], LARGEST_PROMPTED)
        for record in _test_model(published, before)
    ]
    return Table(pd.DataFrame(records, columns=COLUMNS), SPECS["published_tests"])


def _test_model(published: Published, before: str) -> Iterator[dict[str, Any]]:
    """The rows of one comparison."""
    after, tables = PUBLISHED_MODELS[GRID_POLICY], []
    tasks = [task for task, model in published.main if model == after]
    for task in tasks:
        n = published.episodes
        rates = (published.main[task, model].sr for model in (after, before))
        hits, other = (round(sr * n) for sr in rates)
        tables.append((hits, n, other, n))
        yield {"before": before, "task": task} | _test(*tables[-1])
    if tables:
        sums = [sum(numbers) for numbers in zip(*tables, strict=True)]
        together = _test(*sums)
        apart = {"p": fisher_over_strata(tables), "smallest": None}
        yield {"before": before, "task": APART} | together | apart
        yield {"before": before, "task": TOGETHER} | together


def _test(hits: int, n: int, other_hits: int, other_n: int) -> dict[str, float | None]:
    """Rates, Fisher's p, and the smallest gain over the second rate that the test would have shown."""
    after, before = hits / n, other_hits / other_n
    smallest = find_smallest(
        lambda gain: fisher_power(n, other_n, before + gain, before, LEVEL), 1 - before
    )
    return {
        "episodes": n,
        "sr_before": before,
        "sr_after": after,
        "gain": after - before,
        "p": fisher(hits, n, other_hits, other_n),
        "smallest": smallest,
    }
