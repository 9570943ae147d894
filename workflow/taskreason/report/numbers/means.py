"""The mean of several success rates, with an interval made of theirs.

Half-widths are squared and added over rates that rest on worlds of their own (the method of Zou and Donner, 2008,
which keeps Wilson's intervals honest where all rates are one). Rates on the same worlds are taken to move together:
theirs are added as they are, which is never too narrow.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import hypot

from taskreason.report.render.latex import format_interval, format_rate

Rate = tuple[float, float, float]
"""A rate and the ends of its interval."""


def average_rates(groups: Iterable[Sequence[Rate]]) -> Rate:
    """Mean over all rates; those of a group rest on the same worlds."""
    groups = [list(group) for group in groups]
    rates = [rate for group in groups for rate, _, _ in group]
    if not rates:
        raise ValueError("no rate to average")
    mean, number = sum(rates) / len(rates), len(rates)
    below = hypot(*(sum(rate - low for rate, low, _ in group) for group in groups)) / number
    above = hypot(*(sum(high - rate for rate, _, high in group) for group in groups)) / number
    return mean, max(0.0, mean - below), min(1.0, mean + above)


def average_grid(rates: Mapping[tuple[str, str], Rate], pairs: Sequence[tuple[str, str]]) -> Rate:
    """Mean over cells (training task, evaluation task); one evaluation task has one set of worlds."""
    tasks = dict.fromkeys(task for _, task in pairs)
    return average_rates([rates[pair] for pair in pairs if pair[1] == task] for task in tasks)


def print_rate(rate: Rate) -> str:
    """'0.93 [0.86, 0.97]'."""
    return f"{format_rate(rate[0])} {format_interval(*rate[1:])}"


def count_tasks(holds: Iterable[bool], total: int) -> str:
    """'on 3 of the 4 tasks'; 'on no task' when there is none to count."""
    if total == 0:
        return "on no task"
    number = sum(holds)
    if total == 1:
        return "on the one task" if number else "not on the one task"
    return f"on {number or 'none'} of the {total} tasks"
