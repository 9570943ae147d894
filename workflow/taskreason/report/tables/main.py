r"""The tables of the report, each as CSV for machines and as a LaTeX tabular (booktabs) for the
paper.

Input: `Results` of this run and the `Published` numbers; output: files NAME.csv and NAME.tex. Every
table that shows SR shows its Wilson interval. The .tex files hold a tabular only: the paper puts
them in floats with captions. `main`, `generalization`, `comparison`, `baselines`, `bound`,
`collection` and `seeds` span both columns (table*); the others fit one column at \small.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.report.labels import GRID_POLICY, break_title, label_policy, task_title
from taskreason.report.published import Published
from taskreason.report.render.latex import (
    escape,
    format_interval,
    format_rate,
    format_steps,
    make_row,
    make_tabular,
    shrink,
    stack_words,
)
from taskreason.report.results import Cell, Results
from taskreason.report.tables.baselines import make_baselines
from taskreason.report.tables.bound import make_bound
from taskreason.report.tables.cells import Table, head_rate, print_success
from taskreason.report.tables.collection import make_collection
from taskreason.report.tables.comparison import make_comparison
from taskreason.report.tables.probes import make_probes
from taskreason.report.tables.seeds import make_seeds

MAIN_COLUMNS = [
    "task",
    "policy",
    "model",
    "seed",
    "episodes",
    "sr",
    "sr_low",
    "sr_high",
    "asat",
    "asst",
    "minimal_rate",
    "excess_steps",
    "invalid_rate",
    "malformed_rate",
    "single_turn_optimal_rate",
]
GRID_COLUMNS = [
    "train_task",
    "eval_task",
    "seed",
    "episodes",
    "sr",
    "sr_low",
    "sr_high",
    "asat",
    "asst",
]


def list_tables(tasks: Sequence[str]) -> list[str]:
    """Names of all tables of a run on these tasks."""
    return [*(f"main_{task}" for task in tasks), *TABLES]


def make_table(name: str, results: Results, published: Published) -> Table:
    """The table of that name; raises UserError for an unknown one."""
    known = list_tables(results.tasks)
    if name not in known:
        raise UserError(
            f"table '{name}': is not one that this run makes; choose one of {', '.join(known)}"
        )
    if name in TABLES:
        return TABLES[name](results, published)
    return _make_task(results, name.removeprefix("main_"))


def write_tables(
    names: Sequence[str], results: Results, published: Published, folder: Path
) -> None:
    """Write NAME.csv and NAME.tex of every named table into the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        make_table(name, results, published).write(folder, name)


def _cell_row(cell: Cell) -> dict:
    metrics = asdict(cell.metrics)
    optimal = cell.single_turn_optimal_rate
    return asdict(cell) | metrics | {"task": cell.eval_task, "single_turn_optimal_rate": optimal}


def _main_csv(results: Results, tasks: Sequence[str]) -> pd.DataFrame:
    keys = [results.key(policy, task) for task in tasks for policy in results.main_policies]
    rows = [_cell_row(cell) for key in keys for cell in results.seeds[key]]
    return pd.DataFrame(rows, columns=MAIN_COLUMNS)


def _average_steps(cell: Cell) -> str:
    """ASAT with its interval, unless no episode varied: the bootstrap has no width there."""
    metrics = cell.metrics
    if metrics.asat_low == metrics.asat_high:
        return format_steps(metrics.asat)
    interval = format_interval(metrics.asat_low, metrics.asat_high, decimals=1)
    return f"{format_steps(metrics.asat)} {shrink(interval)}"


def _make_main(results: Results) -> Table:
    header = make_row(
        "Task",
        "Policy",
        head_rate("SR", results),
        head_rate("ASAT", results),
        "ASST",
        "Minimal",
        "Invalid",
        "Malformed",
        "Single turn",
    )
    rows = [header]
    for task in results.tasks:
        rows.append(r"\midrule")
        for position, policy in enumerate(results.main_policies):
            cell = results.cell(policy, task)
            metrics = cell.metrics
            rows.append(
                make_row(
                    task_title(task) if position == 0 else "",
                    escape(label_policy(policy)),
                    print_success(cell),
                    _average_steps(cell),
                    format_steps(metrics.asst),
                    format_rate(metrics.minimal_rate),
                    format_rate(metrics.invalid_rate),
                    format_rate(metrics.malformed_rate),
                    format_rate(cell.single_turn_optimal_rate),
                )
            )
    return Table(_main_csv(results, results.tasks), make_tabular("llllrrrrr", rows))


def _make_task(results: Results, task: str) -> Table:
    rows = [
        make_row("Policy", head_rate("SR", results), "ASAT", "ASST", "Minimal"),
        r"\midrule",
    ]
    for policy in results.main_policies:
        cell = results.cell(policy, task)
        metrics = cell.metrics
        steps = format_steps(metrics.asat), format_steps(metrics.asst)
        minimal = format_rate(metrics.minimal_rate)
        rows.append(make_row(escape(label_policy(policy)), print_success(cell), *steps, minimal))
    return Table(_main_csv(results, [task]), make_tabular("llrrr", rows))


GRID_METRICS: dict[str, Callable[[Cell], tuple[str, ...]]] = {
    "sr": lambda cell: (
        format_rate(cell.metrics.sr),
        shrink(format_interval(cell.metrics.sr_low, cell.metrics.sr_high)),
    ),
    "asat": lambda cell: (format_steps(cell.metrics.asat),),
    "asst": lambda cell: (format_steps(cell.metrics.asst),),
}


def _grid_csv(results: Results) -> pd.DataFrame:
    cells = [
        cell
        for train_task in results.tasks
        for eval_task in results.tasks
        for cell in results.seeds[results.key(GRID_POLICY, eval_task, train_task)]
    ]
    return pd.DataFrame([_cell_row(cell) for cell in cells], columns=GRID_COLUMNS)


def _grid_header(results: Results, *first: str) -> list[str]:
    columns, before = len(results.tasks), len(first)
    span = rf"\multicolumn{{{columns}}}{{c}}{{Evaluated on}}"
    return [
        make_row(*[""] * before, span),
        rf"\cmidrule(l){{{before + 1}-{before + columns}}}",
        make_row(*first, *(stack_words(task_title(task)) for task in results.tasks)),
    ]


def _make_grid(results: Results, metric: str) -> Table:
    """One metric over the grid; titles are broken over two lines so that it fits a column."""
    rows = _grid_header(results, "Trained on")
    for train_task in results.tasks:
        cells = [results.cell(GRID_POLICY, task, train_task) for task in results.tasks]
        columns = [tuple(break_title(train_task).split("\n"))]
        columns += [GRID_METRICS[metric](cell) for cell in cells]
        rows.append(r"\midrule" if train_task == results.tasks[0] else r"\addlinespace")
        rows += [make_row(*line) for line in zip_longest(*columns, fillvalue="")]
    return Table(_grid_csv(results), make_tabular("l" + "c" * len(results.tasks), rows))


def _make_generalization(results: Results) -> Table:
    rows = _grid_header(results, "Trained on", "Metric")
    for train_task in results.tasks:
        cells = [results.cell(GRID_POLICY, task, train_task) for task in results.tasks]
        asat = (format_steps(cell.metrics.asat) for cell in cells)
        asst = (format_steps(cell.metrics.asst) for cell in cells)
        rows += [
            r"\midrule",
            make_row(
                task_title(train_task),
                head_rate("SR", results),
                *(print_success(cell) for cell in cells),
            ),
            make_row("", "ASAT", *asat),
            make_row("", "ASST", *asst),
        ]
    return Table(_grid_csv(results), make_tabular("ll" + "c" * len(results.tasks), rows))


TABLES: dict[str, Callable[[Results, Published], Table]] = {
    "main": lambda results, _: _make_main(results),
    "generalization": lambda results, _: _make_generalization(results),
    "generalization_sr": lambda results, _: _make_grid(results, "sr"),
    "generalization_asat": lambda results, _: _make_grid(results, "asat"),
    "generalization_asst": lambda results, _: _make_grid(results, "asst"),
    "comparison": make_comparison,
    "baselines": lambda results, _: make_baselines(results),
    "bound": lambda results, _: make_bound(results),
    "probes": lambda results, _: make_probes(results),
    "collection": lambda results, _: make_collection(results),
    "seeds": lambda results, _: make_seeds(results),
}
"""What makes each table that a run on any tasks has."""
