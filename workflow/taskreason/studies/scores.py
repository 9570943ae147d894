"""What scores come to: success rates by kind of worlds and by task, and one policy against another, world by world.

Input: scores on one panel; output: rows of tables. Success rates carry Wilson intervals. A comparison is paired by
world, with McNemar's exact test and, for what it might have missed, the smallest gain that the test would have seen
with a chance of 0.8 (:mod:`taskreason.studies.significance`).
"""

from collections.abc import Iterable

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.rollouts.metrics import compare_pairs, paired_gain, wilson_interval
from taskreason.rollouts.score import Score
from taskreason.studies.significance import find_smallest, mcnemar_power

ALL = "all"
LEVEL = 0.05


def list_rates(scores: Iterable[Score], confidence: float = 0.95) -> pd.DataFrame:
    """One row a policy, kind of worlds and task, and one for all tasks of a kind: sr with its interval, episodes.

    Policies that have not played all tasks have no row for all of them.
    """
    rows = []
    scores = list(scores)
    tasks = {task for score in scores for _, task in score.cells}
    for score in scores:
        for split, played in score.episodes.groupby("split", sort=False):
            parts = dict(list(played.groupby("task", sort=False)))
            if set(parts) == tasks:
                parts[ALL] = played
            for task, part in parts.items():
                won, number = int(part["success"].sum()), len(part)
                low, high = wilson_interval(won, number, confidence)
                row = {"policy": score.name, "split": split, "task": task, "episodes": number}
                rows.append(row | {"sr": won / number, "sr_low": low, "sr_high": high})
    return pd.DataFrame(rows)


def compare_scores(first: Score, second: Score, confidence: float = 0.95) -> pd.DataFrame:
    """One row a kind of worlds and task that both have played, and one for all tasks of a kind.

    gain: SR of the second less that of the first. won, lost: worlds that the second, or the first, alone solves.
    smallest: the gain that the test would have seen with a chance of 0.8, were as many worlds lost as here.
    """
    shared = [cell for cell in _order(first) if cell in second.cells]
    if not shared:
        raise UserError(
            f"{first.name} and {second.name} have played no kind of worlds in common; score both with the same "
            "--splits and --tasks."
        )
    rows = []
    for split in dict.fromkeys(split for split, _ in shared):
        tasks = [task for kind, task in shared if kind == split]
        for part in [*([task] for task in tasks), *([tasks] if len(tasks) > 1 else [])]:
            sides = [_select(score, split, part) for score in (first, second)]
            gain, low, high = paired_gain(sides[1], sides[0], confidence)
            won, lost, p = compare_pairs(sides[1], sides[0])
            worlds = len(sides[0])
            churn = lost / worlds
            row = {"split": split, "task": part[0] if len(part) == 1 else ALL, "worlds": worlds}
            row |= {"first": sides[0]["success"].mean(), "second": sides[1]["success"].mean()}
            row |= {"gain": gain, "gain_low": low, "gain_high": high}
            row |= {"won": won, "lost": lost, "p": p, "smallest": _find_smallest(worlds, churn)}
            rows.append(row)
    return pd.DataFrame(rows)


def _find_smallest(worlds: int, churn: float) -> float | None:
    return find_smallest(
        lambda gain: mcnemar_power(worlds, gain, churn, LEVEL), max(0.0, 1 - 2 * churn)
    )


def _order(score: Score) -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(score.episodes["split"], score.episodes["task"], strict=True)))


def _select(score: Score, split: str, tasks: list[str]) -> pd.DataFrame:
    rows = score.episodes
    return rows[(rows["split"] == split) & rows["task"].isin(tasks)]
