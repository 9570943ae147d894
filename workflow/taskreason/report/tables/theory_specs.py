"""How the tables of the theory are printed; :mod:`taskreason.report.tables.theory` makes their rows."""

import pandas as pd

from taskreason.environments.base import Environment
from taskreason.report.labels import label_policy, task_title
from taskreason.report.tables.main import SR, TASK
from taskreason.report.tables.spec import (
    COUNT,
    FINE,
    P_VALUE,
    RATE,
    SIGNED,
    STEPS,
    Column,
    Row,
    Spec,
    columns,
    name,
)
from taskreason.report.theory_data import POLICIES

ALL = "all"
"""Stands for every task and both policies in the row that pools them."""
PARTS = {"first third": 1 / 3, "two thirds": 2 / 3, "whole": 1.0}
REPLIES = {
    ("expert", "expert"): "expert's action",
    ("expert", "optimal"): "any optimal",
    ("off_path", "optimal"): "optimal, off path",
}
CORRELATION = "Rank correlation with SR"


def _join_replies(rows: pd.DataFrame) -> pd.DataFrame:
    """Where a policy was asked and which replies are right, in one column."""
    pairs = zip(rows["place"], rows["right"], strict=True)
    return rows.assign(reply=[REPLIES.get(pair, " ".join(pair)) for pair in pairs])


def _name_part(share: str) -> str:
    """'0.3333333333' -> 'First third'."""
    return min(PARTS, key=lambda part: abs(PARTS[part] - float(share))).capitalize()


def _add_correlation(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and below them the rank correlation of what tasks share with SR."""
    shared = list_shared(rows)
    last = {key: rows[f"{key}_correlation"].iloc[0] for key in shared}
    total = {"train_task": CORRELATION, "eval_task": "", "sr": ""} | last
    return pd.concat([rows, pd.DataFrame([total])]).fillna("")


def _style_shared(row: Row) -> str:
    return SIGNED if row["train_task"] == CORRELATION else RATE


def _title_trained(task: str) -> str:
    return task if task == CORRELATION else task_title(task)


def list_shared(grid: pd.DataFrame) -> list[str]:
    """What the table of the grid says that tasks share."""
    return [key.removesuffix("_correlation") for key in grid if key.endswith("_correlation")]


def make_specs(env: Environment) -> dict[str, list[Spec]]:
    """The tables by name, in the words of an environment."""
    worlds = env.worlds.capitalize()
    policy = name("policy", "Policy", lambda key: "Both" if key == ALL else label_policy(key))
    gains = [*columns(FINE, **{key: label_policy(key) for key in POLICIES})]
    gains.append(Column("gain", "Gain", "+.3f"))
    single = [
        *columns(COUNT, states="States"),
        *gains,
        *columns(RATE, improved="Up"),
        Column("unchanged", "Same", screen=True),
        *columns(RATE, worse="Down", worse_by_chance="Down by chance"),
        *columns(P_VALUE, sign_test="p"),
        *columns(FINE, fixed_point="Limit"),
    ]
    recursion = [
        *columns(COUNT, kitchens=worlds),
        Column("unique_states", "Unique|states", narrow=True),
        Column("unique_kitchens", f"Unique|{env.worlds}", narrow=True),
        Column("denied", "Denied", FINE, narrow=True),
        *columns(RATE, predicted="Predicted", observed="Seen"),
        *columns(SIGNED, error="Error"),
        *columns(RATE, inside="Inside"),
    ]
    multi = [
        Column("kitchens", worlds, COUNT, screen=True),
        *gains,
        *columns(RATE, states_not_lower="Not lower|states"),
        *columns(RATE, kitchens_not_lower=f"Not lower|{env.worlds}"),
        *columns(RATE, assumption="Assumption|holds", assumption_by_chance="Assumption|by chance"),
        *columns(RATE, given_assumption="Given it"),
    ]
    horizons = [
        Column("steps", "Steps", STEPS, screen=True),
        *columns(RATE, product="Product", observed="Seen"),
    ]
    tasks = [
        name("train_task", "Trained on", _title_trained),
        name("eval_task", "Evaluated on", task_title),
    ]
    shared = [*columns(_style_shared, prefix="Prefix", skills="Kinds", length="Length"), SR]
    return {
        "theory_single": [Spec([TASK, name("reply", "Right reply")], single, select=_join_replies)],
        "theory_recursion": [Spec([TASK, policy], recursion)],
        "theory_multi": [Spec([TASK], multi)],
        "theory_horizons": [Spec([TASK, policy], horizons, name("share", "", _name_part))],
        "theory_grid": [Spec(tasks, shared, select=_add_correlation)],
    }
