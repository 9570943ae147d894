r"""What trajectories, trainings and their provenance say, as LaTeX macros.

Input: results/SCALE; output: macro name -> text, two dashes for a task that this run leaves out.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from taskreason.durability.files import list_runs
from taskreason.report.labels import list_reported_tasks
from taskreason.report.render import latex
from taskreason.report.results import Results
from taskreason.report.trainings import (
    GRPO_COLUMNS,
    average_logs,
    count_parameters,
    read_json,
    read_training_log,
)
from taskreason.rollouts.metrics import bootstrap_interval

Macros = Iterator[tuple[str, str]]


def _list_files(results: Results, task: str, name: str) -> list[Path]:
    """A file of every training on a task."""
    folder = results.root / "training"
    return [folder / f"{task}{run}" / name for run in list_runs(results.cfg.seeds)]


def make_training_macros(results: Results) -> Macros:
    """Trajectories, and GRPO's mean reward in the first and the last quarter of its steps, over all seeds."""
    for task in list_reported_tasks(results.cfg):
        summary, first, last = {}, latex.MISSING, latex.MISSING
        if task in results.tasks:
            summary = read_json(results.root / "trajectories" / f"{task}.summary.json")
            files = _list_files(results, task, "grpo.csv")
            log = average_logs([read_training_log(file, GRPO_COLUMNS) for file in files])
            curve = log["reward"].dropna()
            part = max(1, len(curve) // 4)
            first, last = (_average(values, results) for values in (curve[:part], curve[-part:]))
        for key in ("accepted", "decisions"):
            yield latex.name_macro("trajectories", key, task), latex.format_value(summary.get(key))
        yield latex.name_macro("grpo_reward_first", task), first
        yield latex.name_macro("grpo_reward_last", task), last


def _average(curve: pd.Series, results: Results) -> str:
    """A mean with its bootstrap interval over the logged steps."""
    interval = bootstrap_interval(curve.to_numpy(), results.cfg.report.confidence)
    return f"{curve.mean():.3f} {latex.format_interval(*interval, decimals=3)}"


def make_provenance_macros(results: Results) -> Macros:
    """Time, versions and hardware of the trainings, and the shape of the base model."""
    last: dict = {}
    for stage in ("sft", "grpo"):
        files = [
            file
            for task in results.tasks
            for file in _list_files(results, task, f"{stage}.provenance.json")
        ]
        records = [read_json(file) for file in files]
        last = records[-1]
        seconds = sum(record.get("wall_seconds") or 0.0 for record in records)
        yield latex.name_macro(stage, "minutes", "total"), f"{seconds / 60:.1f}"
    for package in ("python", "torch", "transformers", "trl"):
        yield (
            latex.name_macro("version", package),
            latex.escape(last.get("versions", {}).get(package, latex.MISSING)),
        )
    hardware = last.get("hardware", {})
    yield "HardwareProcessor", latex.escape(hardware.get("processor") or latex.MISSING)
    yield "HardwareCores", latex.format_value(hardware.get("cores"))
    yield "HardwareMemory", latex.format_value(hardware.get("memory_gib"))
    yield "HardwareGpus", latex.escape(", ".join(hardware.get("gpus", [])) or "none")
    base = results.root / "models" / "base"
    yield "BaseParameters", latex.format_value(count_parameters(base))
    model = read_json(base / "config.json")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        yield latex.name_macro("base", key), latex.format_value(model.get(key))
