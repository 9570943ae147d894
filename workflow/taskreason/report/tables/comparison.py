"""The table that sets this run beside the paper: the main table and the grid, every published cell.

Published rows without a counterpart here (larger prompted models) are shown alone. The paper prints
no intervals; those of its success rates are computed from its number of episodes.
"""

import pandas as pd

from taskreason.report.labels import GRID_POLICY, label_policy, task_title
from taskreason.report.published import PUBLISHED_MODELS, Published, PublishedCell
from taskreason.report.render.latex import MISSING, escape, format_steps, make_row, make_tabular
from taskreason.report.results import Cell, Results
from taskreason.report.tables.cells import Table, head_rate, print_rate, print_success

COMPARISON_COLUMNS = [
    "part",
    "train_task",
    "eval_task",
    "policy",
    "model",
    "published_model",
    "sr",
    "sr_low",
    "sr_high",
    "asat",
    "asst",
    "published_sr",
    "published_sr_low",
    "published_sr_high",
    "published_asat",
    "published_asst",
]
MEASURES = ("Ours", "Published", "Ours", "Publ.", "Ours", "Publ.")


def make_comparison(results: Results, published: Published) -> Table:
    """Main table and grid, ours beside the published, one published cell a row."""
    records, main_rows, grid_rows = [], [], []
    for task in results.tasks:
        for position, (policy, model) in enumerate(_pair_policies(task, results, published)):
            cell = results.cell(policy, task) if policy else None
            theirs = published.main.get((task, model))
            place = {"part": "main", "eval_task": task, "policy": policy, "published_model": model}
            records.append(place | _compare(cell, theirs, results, published))
            names = (
                task_title(task) if position == 0 else "",
                escape(label_policy(policy)) if policy else MISSING,
                escape(model or MISSING),
            )
            main_rows.append(make_row(*names, *_print_pair(cell, theirs, results, published)))
        main_rows.append(r"\midrule")
    for train_task in results.tasks:
        if grid_rows:
            grid_rows.append(r"\addlinespace")
        for position, eval_task in enumerate(results.tasks):
            cell = results.cell(GRID_POLICY, eval_task, train_task)
            theirs = published.grid.get((train_task, eval_task))
            place = {"part": "grid", "train_task": train_task, "eval_task": eval_task}
            place |= {"policy": GRID_POLICY}
            place |= {"published_model": PUBLISHED_MODELS[GRID_POLICY] if theirs else None}
            records.append(place | _compare(cell, theirs, results, published))
            names = (task_title(train_task) if position == 0 else "", task_title(eval_task), "")
            grid_rows.append(make_row(*names, *_print_pair(cell, theirs, results, published)))
    rows = [*_make_header(results), *main_rows]
    rows += [make_row("Trained on", "Evaluated on", "", *MEASURES), r"\midrule", *grid_rows]
    return Table(pd.DataFrame(records, columns=COMPARISON_COLUMNS), make_tabular("lllllrrrr", rows))


def _pair_policies(
    task: str, results: Results, published: Published
) -> list[tuple[str | None, str | None]]:
    """(our policy, published model) a row, in the order of print; policies of our own come last."""
    ours = {
        PUBLISHED_MODELS[name]: name for name in results.main_policies if name in PUBLISHED_MODELS
    }
    printed = [model for model in published.models if (task, model) in published.main]
    alone = [name for name in results.main_policies if PUBLISHED_MODELS.get(name) not in printed]
    return [(ours.get(model), model) for model in printed] + [(name, None) for name in alone]


def _make_header(results: Results) -> list[str]:
    success = rf"\multicolumn{{2}}{{c}}{{{head_rate('SR', results)}}}"
    steps = r"\multicolumn{2}{c}{ASAT}", r"\multicolumn{2}{c}{ASST}"
    return [
        make_row("", "", "", success, *steps),
        r"\cmidrule(lr){4-5}\cmidrule(lr){6-7}\cmidrule(l){8-9}",
        make_row("Task", "Policy", "Published model", *MEASURES),
        r"\midrule",
    ]


def _compare(
    cell: Cell | None, theirs: PublishedCell | None, results: Results, published: Published
) -> dict:
    record = {}
    if cell:
        record |= {"model": cell.model} | {
            key: getattr(cell.metrics, key) for key in ("sr", "sr_low", "sr_high", "asat", "asst")
        }
    if theirs:
        low, high = published.interval(theirs, results.confidence)
        record |= {"published_sr": theirs.sr, "published_sr_low": low, "published_sr_high": high}
        record |= {"published_asat": theirs.asat, "published_asst": theirs.asst}
    return record


def _print_pair(
    cell: Cell | None, theirs: PublishedCell | None, results: Results, published: Published
) -> tuple[str, ...]:
    """Six printed cells: SR, ASAT and ASST, ours and published."""
    ours = (MISSING,) * 3
    if cell:
        ours = print_success(cell), format_steps(cell.metrics.asat), format_steps(cell.metrics.asst)
    printed = (MISSING,) * 3
    if theirs:
        # An ASST without a success is printed as published; the caption explains the mark.
        odd = r"\textsuperscript{a}" if theirs.sr == 0 and theirs.asst is not None else ""
        printed = (
            print_rate(theirs.sr, *published.interval(theirs, results.confidence)),
            format_steps(theirs.asat),
            format_steps(theirs.asst) + odd,
        )
    return tuple(value for pair in zip(ours, printed, strict=True) for value in pair)
