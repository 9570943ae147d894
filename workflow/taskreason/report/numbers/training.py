r"""What trajectories, trainings and their provenance say, as LaTeX macros.

Input: results/SCALE; output: macro name -> text, two dashes for a task that this run leaves out.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pandas as pd

from taskreason.durability.files import list_runs
from taskreason.report.labels import list_reported_tasks
from taskreason.report.render.latex import (
    MISSING,
    escape,
    format_interval,
    format_steps,
    format_value,
    name_macro,
)
from taskreason.report.results import Results
from taskreason.report.training_logs import (
    GRPO_COLUMNS,
    SFT_COLUMNS,
    average_logs,
    read_json,
    read_training_log,
)
from taskreason.report.weights import count_parameters
from taskreason.rollouts.metrics import bootstrap_interval

Macros = Iterator[tuple[str, str]]
CURVES = {
    "sft": (SFT_COLUMNS, ("loss", "mean_token_accuracy")),
    "grpo": (GRPO_COLUMNS, ("reward", "kl", "zero_std_share", "entropy")),
}
"""Of each stage, the columns that its log must have and those that the paper quotes."""


def make_trajectory_macros(results: Results) -> Macros:
    for task in list_reported_tasks(results.cfg):
        summary: dict = {}
        if task in results.tasks:
            summary = read_json(results.root / "trajectories" / f"{task}.summary.json")
        for key in ("kitchens_tried", "accepted", "decisions"):
            yield name_macro("trajectories", key, task), format_value(summary.get(key))
        mean = format_steps(summary.get("mean_steps"))
        yield name_macro("trajectories_mean_steps", task), mean


def _list_files(results: Results, task: str, name: str) -> list[Path]:
    """A file of every training on a task; none of a task that this run leaves out."""
    runs = list_runs(results.cfg.seeds) if task in results.tasks else []
    return [results.root / "training" / f"{task}{run}" / name for run in runs]


def make_training_macros(results: Results) -> Macros:
    """First and last quarter of each curve, over all seeds, with bootstrap intervals over the logged steps."""
    for task in list_reported_tasks(results.cfg):
        for stage, (required, columns) in CURVES.items():
            files = _list_files(results, task, f"{stage}.csv")
            logs = [read_training_log(file, required) for file in files]
            log = average_logs(logs) if logs else pd.DataFrame(columns=columns)
            for column in columns:
                curve = log[column].dropna()
                part = max(1, len(curve) // 4)
                for place, values in (("first", curve[:part]), ("last", curve[-part:])):
                    shown = _average(values, results) if len(values) else MISSING
                    yield name_macro(stage, column, place, task), shown


def _average(curve: pd.Series, results: Results) -> str:
    interval = bootstrap_interval(curve.to_numpy(), results.cfg.report.confidence)
    return f"{curve.mean():.3f} {format_interval(*interval, decimals=3)}"


def make_provenance_macros(results: Results) -> Macros:
    """Time, versions and hardware of the trainings; minutes are a training's mean over the seeds."""
    last: dict = {}
    for stage in CURVES:
        total = 0.0
        for task in list_reported_tasks(results.cfg):
            files = _list_files(results, task, f"{stage}.provenance.json")
            records = [read_json(file) for file in files]
            known = [record.get("wall_seconds") or 0.0 for record in records]
            total += sum(known)
            last = records[-1] if task == results.tasks[-1] else last
            yield (
                name_macro(stage, "minutes", task),
                f"{fmean(known) / 60:.1f}" if known else MISSING,
            )
        yield name_macro(stage, "minutes", "total"), f"{total / 60:.1f}"
    for package in ("python", "torch", "transformers", "trl"):
        yield name_macro("version", package), escape(last.get("versions", {}).get(package, MISSING))
    hardware = last.get("hardware", {})
    yield "HardwareProcessor", escape(hardware.get("processor") or MISSING)
    yield "HardwareCores", format_value(hardware.get("cores"))
    yield "HardwareMemory", format_value(hardware.get("memory_gib"))
    yield "HardwareGpus", escape(", ".join(hardware.get("gpus", [])) or "none")
    base = results.root / "models" / "base"
    yield "BaseParameters", format_value(count_parameters(base))
    model = read_json(base / "config.json")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        yield name_macro("base", key), format_value(model.get(key))
