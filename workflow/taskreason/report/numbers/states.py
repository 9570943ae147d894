"""What the paper's section on whose states are trained on quotes, computed from the table of that study.

Input: the table's rows; output: macro name -> LaTeX text. An arm of the study counts as better or worse than SFT in the
expert's states only where the interval of the gain, paired by world and seed, leaves out zero. For example, "better:
GRPO, own states; worse: none; open: all others".
"""

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import task_title
from taskreason.report.render.latex import escape, format_interval, format_rate, format_value
from taskreason.report.tables.states import label_arm
from taskreason.studies.states import ARMS, CONTROL, START


def make_state_macros(rows: pd.DataFrame, cfg: Config) -> dict[str, str]:
    """All macros of the section."""
    arms = rows.set_index("arm")
    trained = arms.drop(index=START)
    begin = arms.loc[START]
    return {
        "StatesTask": task_title(cfg.states.task).lower(),
        "StatesTokens": format_value(cfg.states.tokens),
        "StatesSeeds": str(len(cfg.states.seeds)),
        "StatesStart": _print_rate(begin, "sr"),
        "StatesControl": _print_rate(arms.loc[CONTROL], "sr"),
        "StatesVerdict": judge_arms(trained.drop(index=CONTROL)),
        "StatesBest": name_best(trained, "sr"),
        "StatesExpertBefore": _print_rate(begin, "expert"),
        "StatesExpertBest": name_best(trained, "expert"),
        "StatesFailed": f"{begin['failed_states']:g}",
        "StatesFailedBefore": _print_rate(begin, "failed"),
        "StatesFailedBest": name_best(trained, "failed"),
    }


def judge_arms(rows: pd.DataFrame) -> str:
    """Which arms do better than SFT in the expert's states and which do worse, as far as intervals tell."""
    better, worse = rows["gain_control_low"] > 0, rows["gain_control_high"] < 0
    parts = {"better": better, "worse": worse, "not told apart": ~(better | worse)}
    names = {key: [label_arm(arm) for arm in rows.index[part]] for key, part in parts.items()}
    text = "; ".join(f"{key}: {' and '.join(found) or 'none'}" for key, found in names.items())
    return escape(text)


def name_best(rows: pd.DataFrame, key: str) -> str:
    """The arm with the highest rate, and that rate; NaN is passed over."""
    if rows[key].isna().all():
        return "none"
    best = rows[key].idxmax()
    return f"{escape(ARMS[best].label)} ({_print_rate(rows.loc[best], key)})"


def _print_rate(row: pd.Series, key: str) -> str:
    return f"{format_rate(row[key])} {format_interval(row[f'{key}_low'], row[f'{key}_high'])}"
