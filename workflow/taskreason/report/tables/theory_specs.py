"""How the tables of the theory are printed; :mod:`taskreason.report.tables.theory` makes their rows."""

import pandas as pd

from taskreason.environments.base import Environment
from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.tables import spec
from taskreason.report.tables.main import SR, TASK
from taskreason.report.tables.spec import RATE, Column, Row, Spec, columns, name
from taskreason.theory.analysis import PARTS

REFERENCE = "sft"
POLICIES = (REFERENCE, GRID_POLICY)
ALL = "all"
"""Stands for every task and both policies in the row that pools them."""
PART_TITLES = dict(zip(("First third", "Two thirds", "Whole"), PARTS, strict=True))
REPLIES = {
    ("expert", "expert"): "expert's action",
    ("expert", "optimal"): "any optimal",
    ("off_path", "optimal"): "optimal, off path",
}
CORRELATION = "Rank correlation with SR"


def _join_replies(rows: pd.DataFrame) -> pd.DataFrame:
    """Where a policy was asked and which replies are right, in one column."""
    return rows.assign(
        reply=[REPLIES[pair] for pair in zip(rows["place"], rows["right"], strict=True)]
    )


def _name_part(share: str) -> str:
    """'0.3333333333' -> 'First third'."""
    return min(PART_TITLES, key=lambda part: abs(PART_TITLES[part] - float(share)))


def list_shared(grid: pd.DataFrame) -> list[str]:
    """What the table of the grid says that tasks share."""
    return [key.removesuffix("_correlation") for key in grid if key.endswith("_correlation")]


def _add_correlation(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and below them the rank correlation of what tasks share with SR."""
    last = {key: rows[f"{key}_correlation"].iloc[0] for key in list_shared(rows)}
    return pd.concat([rows, pd.DataFrame([{"train_task": CORRELATION} | last])]).fillna("")


def _style_shared(row: Row) -> str:
    return spec.SIGNED if row["train_task"] == CORRELATION else RATE


def make_specs(env: Environment) -> dict[str, list[Spec]]:
    """The tables by name, in the words of an environment."""
    worlds = env.worlds.capitalize()
    policy = name("policy", "Policy", lambda key: "Both" if key == ALL else label_policy(key))
    gains = [Column(key, label_policy(key), spec.FINE) for key in POLICIES]
    gains.append(Column("gain", "Gain", "+.3f"))
    single = [
        *columns(spec.COUNT, states="States"),
        *gains,
        *columns(RATE, improved="Up", undecided="Open", worse="Down"),
        *(Column(f"listed_{key}", f"Listed|{label_policy(key)}", spec.FINE) for key in POLICIES),
        *columns(spec.FINE, fixed_point="Limit"),
    ]
    recursion = [
        *columns(spec.COUNT, kitchens=worlds),
        Column("unique_states", "Unique|states", narrow=True),
        Column("unique_kitchens", f"Unique|{env.worlds}", narrow=True),
        Column("denied", "Denied", spec.FINE, narrow=True),
        *columns(spec.FINE, predicted="Predicted"),
        Column("observed", "Seen", spec.FINE, narrow=True),
        *columns("+.3f", error="Error"),
        *columns(spec.P_VALUE, p_value="p"),
        Column("inside", "Inside", narrow=True),
        *columns(spec.P_VALUE, outside_p_value="Inside|p"),
    ]
    multi = [
        Column("kitchens", worlds, spec.COUNT, screen=True),
        *gains,
        *columns(RATE, states_not_lower="Not lower|states"),
        *columns(RATE, kitchens_not_lower=f"Not lower|{env.worlds}"),
        *columns(RATE, assumption="Assumption|holds"),
        *columns(RATE, given_assumption="Given it"),
    ]
    horizons = [
        Column("steps", "Steps", spec.STEPS, screen=True),
        Column("product", "Product", screen=True),
        *columns(RATE, predicted="Predicted"),
        Column("observed", "Seen", narrow=True),
        *columns(spec.P_VALUE, p_value="p"),
    ]
    tasks = [
        name("train_task", "Trained on", lambda t: t if t == CORRELATION else task_title(t)),
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
