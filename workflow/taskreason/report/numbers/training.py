r"""What trajectories, trainings and their provenance say, as LaTeX macros.

Input: results/SCALE; output: macro name -> text, two dashes for a task that this run leaves out.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import pandas as pd

from taskreason.environments.robotouille.tasks import TASKS
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


def make_trajectory_macros(results: Results, root: Path) -> Iterator[tuple[str, str]]:
    for task in dict.fromkeys((*TASKS, *results.tasks)):
        summary: dict = {}
        if task in results.tasks:
            summary = read_json(root / "trajectories" / f"{task}.summary.json")
        for key in ("kitchens_tried", "accepted", "decisions"):
            yield name_macro("trajectories", key, task), format_value(summary.get(key))
        yield (
            name_macro("trajectories_mean_steps", task),
            format_steps(summary.get("mean_steps")),
        )


def make_training_macros(
    results: Results, root: Path, runs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """First and last quarter of each curve, over all seeds, with bootstrap intervals over the logged steps."""
    wanted = {
        "sft": (SFT_COLUMNS, ("loss", "mean_token_accuracy")),
        "grpo": (GRPO_COLUMNS, ("reward", "kl", "zero_std_share", "entropy")),
    }
    for task in dict.fromkeys((*TASKS, *results.tasks)):
        for stage, (required, columns) in wanted.items():
            log = None
            if task in results.tasks:
                files = [root / "training" / f"{task}{run}" / f"{stage}.csv" for run in runs]
                log = average_logs([read_training_log(file, required) for file in files])
            for column in columns:
                first = last = MISSING
                if log is not None and log[column].notna().any():
                    curve = log[column].dropna()
                    part = max(1, len(curve) // 4)
                    first, last = (_average(c, results) for c in (curve[:part], curve[-part:]))
                yield name_macro(stage, column, "first", task), first
                yield name_macro(stage, column, "last", task), last


def _average(curve: pd.Series, results: Results) -> str:
    interval = bootstrap_interval(curve.to_numpy(), results.confidence)
    return f"{curve.mean():.3f} {format_interval(*interval, decimals=3)}"


def make_provenance_macros(
    results: Results, root: Path, runs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Time, versions and hardware of the trainings; minutes are a training's mean over the seeds."""
    records = {
        (stage, task): [
            read_json(root / "training" / f"{task}{run}" / f"{stage}.provenance.json")
            for run in runs
        ]
        for stage in ("sft", "grpo")
        for task in results.tasks
    }
    for stage in ("sft", "grpo"):
        total = 0.0
        for task in dict.fromkeys((*TASKS, *results.tasks)):
            known = [record.get("wall_seconds") or 0.0 for record in records.get((stage, task), [])]
            seconds = fmean(known) if known else None
            total += sum(known)
            minutes = MISSING if seconds is None else f"{seconds / 60:.1f}"
            yield name_macro(stage, "minutes", task), minutes
        yield name_macro(stage, "minutes", "total"), f"{total / 60:.1f}"
    last = records["grpo", results.tasks[-1]][-1]
    for package in ("python", "torch", "transformers", "trl"):
        yield name_macro("version", package), escape(last.get("versions", {}).get(package, MISSING))
    hardware = last.get("hardware", {})
    yield "HardwareProcessor", escape(hardware.get("processor") or MISSING)
    yield "HardwareCores", format_value(hardware.get("cores"))
    yield "HardwareMemory", format_value(hardware.get("memory_gib"))
    yield "HardwareGpus", escape(", ".join(hardware.get("gpus", [])) or "none")
    parameters = count_parameters(root / "models" / "base")
    yield "BaseParameters", format_value(parameters)
    model = read_json(root / "models" / "base" / "config.json")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        yield name_macro("base", key), format_value(model.get(key))
