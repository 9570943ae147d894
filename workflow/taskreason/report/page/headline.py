"""What the page says first: success rates of the four policies, GRPO's gain, and in how many tasks claims hold.

Input: the rows of comparison.csv and baselines.csv; output: a `PageTable` and sentences.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from taskreason.report.labels import GRID_POLICY, POLICIES, is_compared, label_policy, task_title
from taskreason.report.numbers.means import Rate, average_grid, average_rates
from taskreason.report.numbers.verdicts import count_tasks, print_rate
from taskreason.report.page.cells import PageTable, Row, cell, head, list_values

GAIN = f"{GRID_POLICY} - sft"


def make_headline(comparison: Sequence[Row], baselines: Sequence[Row]) -> PageTable:
    """One row a task: SR of the paper's policies, the published SR after GRPO, and GRPO's gain over SFT."""
    ours = {(r["policy"], r["eval_task"]): r for r in comparison if r["part"] == "main"}
    gains = {row["task"]: row for row in baselines if row["row"] == GAIN}
    body = [
        [
            head(task_title(task)),
            *(cell(ours[policy, task], "sr") for policy in POLICIES),
            cell(ours[GRID_POLICY, task], "published_sr"),
            cell(gains[task], "gain", "+.2f"),
        ]
        for task in list_values(baselines, "task")
    ]
    last = label_policy(GRID_POLICY)
    titles = ["Task", *map(label_policy, POLICIES), f"{last}, published", "Gain of GRPO over SFT"]
    return PageTable(titles, body)


def list_findings(comparison: Sequence[Row], baselines: Sequence[Row]) -> Iterator[str]:
    """Sentences on the paper's claims, each with what this run counts."""
    tasks = list_values(baselines, "task")
    main = {(r["policy"], r["eval_task"]): r for r in comparison if r["part"] == "main"}
    grid = {(r["train_task"], r["eval_task"]): r for r in comparison if r["part"] == "grid"}
    gains = [row for row in baselines if row["row"] == GAIN]

    def rate(policy: str, task: str) -> float:
        return float(main[policy, task]["sr"])

    def count(holds: list[bool]) -> str:
        return count_tasks(holds, len(holds))

    means = [
        print_rate(average_rates([read_rate(main[policy, task])] for task in tasks))
        for policy in POLICIES[1:]
    ]
    yield (
        f"On average over the tasks the success rate goes from {means[0]} (base) through {means[1]} (SFT) "
        f"to {means[2]} (SFT + GRPO)."
    )
    yield (
        "SFT improves on the base model "
        f"{count([rate('sft', task) > rate('base', task) for task in tasks])}, and GRPO on SFT "
        f"{count([rate(GRID_POLICY, task) > rate('sft', task) for task in tasks])}; the interval of GRPO's gain "
        f"lies above zero {count([float(row['gain_low']) > 0 for row in gains])} and below zero "
        f"{count([float(row['gain_high']) < 0 for row in gains])}."
    )
    compared = [policy for policy in list_values(baselines, "row") if is_compared(policy)]
    if compared:
        over = [row for row in baselines if is_compared(row["row"].partition(" - ")[2])]
        behind = {row["task"] for row in over if float(row["gain_low"]) <= 0}
        yield (
            "SFT + GRPO is ahead of what is evaluated beside it untrained "
            f"({'; '.join(map(label_policy, compared))}), the interval of each gain above zero, "
            f"{count([task not in behind for task in tasks])}."
        )
    known = [main[GRID_POLICY, task] for task in tasks if main[GRID_POLICY, task]["published_sr"]]
    yield (
        "SFT + GRPO reaches at least the published success rate "
        f"{count([float(row['sr']) >= float(row['published_sr']) for row in known])}."
    )
    upward = list(combinations(tasks, 2))
    downward = [(hard, easy) for easy, hard in upward]
    if upward:
        down, up = (_describe(grid, pairs) for pairs in (downward, upward))
        yield (
            f"Trained on the more complex of two tasks and evaluated on the simpler, the mean success rate is {down}; "
            f"the other way round it is {up}."
        )


def read_rate(row: Row, whose: str = "") -> Rate:
    """A row's success rate with its interval; whose: "published_" for the paper's."""
    rate, low, high = (float(row[f"{whose}sr{end}"]) for end in ("", "_low", "_high"))
    return rate, low, high


def _describe(grid: dict[tuple[str, str], Row], pairs: list[tuple[str, str]]) -> str:
    """The mean SR over cells of the grid, and the published one of those that the paper prints."""
    ours = print_rate(average_grid({pair: read_rate(grid[pair]) for pair in pairs}, pairs))
    printed = [pair for pair in pairs if grid[pair]["published_sr"]]
    if not printed:
        return ours
    rates = {pair: read_rate(grid[pair], "published_") for pair in printed}
    return f"{ours} (published: {print_rate(average_grid(rates, printed))})"
