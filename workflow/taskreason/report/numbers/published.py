r"""What the paper says of the published numbers: their tests, and where the abstract and Table 1 do not go together.

Output: macro name -> LaTeX text, from the published files alone, so the sentences hold for every run of the workflow.
"""

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import GRID_POLICY, join_words, task_title
from taskreason.report.published import (
    LARGEST_PROMPTED,
    PUBLISHED_MODELS,
    Published,
    load_published,
)
from taskreason.report.render.latex import MISSING, format_rate, format_steps, name_macro
from taskreason.report.render.tables import format_number
from taskreason.report.results import Results
from taskreason.report.tables.published import APART, LEVEL, TOGETHER, make_published_tests
from taskreason.report.tables.spec import P_VALUE

COMPARISONS = {"sft": PUBLISHED_MODELS["sft"], "prompted": LARGEST_PROMPTED}
"""Name of a comparison in macros -> the model that SFT + GRPO is held against."""
ALL = {"apart": APART, "together": TOGETHER}


def make_published_macros(results: Results) -> dict[str, str]:
    """The tests' p-values and smallest visible gains, and what the abstract's rate stands beside."""
    tests = make_published_tests(results).csv.set_index(["before", "task"])
    macros = {
        "PubTestLevel": f"{LEVEL:.0%}".replace("%", r"\,\%"),
        "PubLargestPrompted": LARGEST_PROMPTED,
    }
    for name, before in COMPARISONS.items():
        rows = tests.loc[before] if before in tests.index else tests.iloc[:0].droplevel(0)
        single = rows[~rows.index.isin(ALL.values())]
        macros[name_macro("pub_test", name, "ps")] = (
            ", ".join(map(_print_p, single["p"])) or MISSING
        )
        macros[name_macro("pub_test", name, "smallest")] = _print_smallest(single["smallest"])
        for kind, row in ALL.items():
            p = _print_p(rows.loc[row, "p"]) if row in rows.index else MISSING
            macros[name_macro("pub_test", name, kind)] = p
    return macros | judge_abstract(load_published(results.cfg.env), results.cfg)


def _print_p(p: float) -> str:
    return format_number(str(p), P_VALUE).replace("<", r"\ensuremath{<}")


def _print_smallest(gains: pd.Series) -> str:
    """'0.59 to 0.68, and none on 1 of the 4 tasks'."""
    seen = gains.dropna()
    none = f"none on {len(gains) - len(seen)} of the {len(gains)} tasks"
    if seen.empty:
        return none if len(gains) else MISSING
    shown = f"{seen.min():.2f} to {seen.max():.2f}"
    return shown if len(seen) == len(gains) else f"{shown}, and {none}"


def judge_abstract(published: Published, cfg: Config) -> dict[str, str]:
    """The cells of Table 1 on tasks of the abstract's length, and those at the abstract's rate, in plain words."""
    model = PUBLISHED_MODELS[GRID_POLICY]
    cells = {task: cell for (task, name), cell in published.main.items() if name == model}
    steps = int(published.setting.get("abstract_steps", 0))
    rate = float(published.setting.get("abstract_success_rate", 0))
    timeouts = {task: cfg.env.tasks[task].timeout for task in cells}
    long = [
        f"{task_title(task).lower()} (timeout {timeouts[task]}), where it prints {format_rate(cell.sr)} "
        f"and {format_steps(cell.asst)} steps to success"
        for task, cell in cells.items()
        if timeouts[task] > steps
    ]
    same = [
        f"{task_title(task).lower()} (timeout {timeouts[task]})"
        for task, cell in cells.items()
        if cell.sr == rate
    ]
    return {
        "PubAbstractLong": "; ".join(long) or MISSING,
        "PubAbstractSame": join_words(same) or MISSING,
    }
