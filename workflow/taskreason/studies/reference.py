"""What a run is held against: outcomes world by world, with what the run was made with.

A reference is a folder. provenance.json has configuration, versions, hardware and commit; training/ the log of every
training; outcomes.csv has one row a world and one column a cell, where a cell is a policy, its training task, how it
takes its replies ("greedy", or "T1" where they are sampled at temperature 1) and the seed of its training. A number is
the steps that reached the goal, 0 a failure; empty is a world that the cell has not played:

    policy,,expert,sft,sft
    train_task,,-,burger,cheese_burger
    decoding,,greedy,greedy,greedy
    seed,,0,0,0
    eval_task,world,,,
    burger,0a1b2c3d4e5f6071,8,0,
"""

import json
import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json, write_whole
from taskreason.environments import load_environment
from taskreason.rollouts.metrics import read_episodes

OUTCOMES, PROVENANCE, TRAINING = "outcomes.csv", "provenance.json", "training"
CELL = ["policy", "train_task", "decoding", "seed"]
"""What names a column of the outcomes."""
KEY = [*CELL, "eval_task"]
"""What names a cell on one task."""
WORLD = ["eval_task", "world"]
"""What names a row."""
GREEDY = "greedy"
APART = {
    *("report", "resources", "probes", "endpoint", "base.compare"),
    *("theory", "ablation", "sweep", "regimes", "states"),
}
"""Parts of the configuration that change no outcome that is kept."""
FILES = {"episodes": "*/*/*.jsonl", "episodes_sampled": "*/*/*/*.jsonl"}
"""Folder below results/SCALE -> episodes by policy, training (and temperature) and task; cells of the reports."""


def keep(results: Path, scale: str, folder: Path) -> None:
    """Make the outcomes of a run the reference, with what they were made with.

    What a reference of the same settings has besides stays, so that a long run can be made and kept in parts, task by
    task or policy by policy.
    """
    provenance, outcomes = read_provenance(results, scale), read_outcomes(results, scale)
    if (folder / OUTCOMES).is_file():
        provenance, outcomes = _add_to(folder, provenance, outcomes)
    wide = outcomes.pivot(index=WORLD, columns=CELL, values="steps").astype("Int64")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / OUTCOMES, [wide.to_csv().encode()])
    write_json(folder / PROVENANCE, provenance)
    for log in (results / scale / TRAINING).glob("*/*.csv"):
        place = folder / TRAINING / log.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, place / log.name)


def _add_to(
    folder: Path, provenance: dict[str, Any], outcomes: pd.DataFrame
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Provenance and outcomes of a run, with the cells and tasks that only a reference of the same settings has."""
    before, record = read_reference(folder)
    if list_changes(record["config"], provenance["config"], apart={*APART, "tasks"}):
        shutil.rmtree(folder / TRAINING, ignore_errors=True)
        return provenance, outcomes
    known = pd.MultiIndex.from_frame(outcomes[KEY])
    left = before[~pd.MultiIndex.from_frame(before[KEY]).isin(known)]
    commits = dict.fromkeys(filter(None, [*(record["commit"] or "").split(), provenance["commit"]]))
    seconds = record["training_seconds"] | provenance["training_seconds"]
    config = provenance["config"] | {"tasks": _join_tasks(record, provenance)}
    merged = {"commit": " ".join(commits), "training_seconds": seconds, "config": config}
    return provenance | merged, pd.concat([left, outcomes], ignore_index=True)


def _join_tasks(*records: Mapping[str, Any]) -> list[str]:
    """The tasks of several runs, from simple to complex."""
    named = dict.fromkeys(task for record in records for task in record["config"]["tasks"])
    known = load_environment(records[0]["config"].get("environment", "robotouille")).tasks
    return [*(task for task in known if task in named), *(t for t in named if t not in known)]


def read_outcomes(results: Path, scale: str) -> pd.DataFrame:
    """Every episode of a run, one a row: the columns of ``CELL`` and ``WORLD``, and steps to the goal, 0 for a failure.

    Raises UserError where there is no episode, or a world twice in one cell.
    """
    parts = []
    for folder, pattern in FILES.items():
        for path in sorted((results / scale / folder).glob(pattern)):
            policy, training, *temperature = path.relative_to(results / scale / folder).parts[:-1]
            episodes = read_episodes(path)
            if episodes.duplicated(["layout_hash", "seed"]).any():
                raise UserError(f"{path}: holds a world twice; delete it and run snakemake again.")
            part = episodes[["seed"]].assign(
                policy=policy,
                train_task=training.partition(".seed")[0],
                decoding=(temperature or [GREEDY])[0],
                eval_task=path.stem,
                world=episodes["layout_hash"],
                steps=episodes["steps"].where(episodes["success"], 0),
            )
            parts.append(part)
    if not parts:
        raise UserError(
            f"{results}/{scale}/episodes: no episode is there; run `snakemake --cores all --config scale={scale}` "
            "first, or name the scale with --scale."
        )
    return pd.concat(parts, ignore_index=True)


def read_reference(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Outcomes, as :func:`read_outcomes` has them, and provenance of a reference."""
    path = folder / OUTCOMES
    try:
        wide = pd.read_csv(path, header=[0, 1, 2, 3], index_col=[0, 1], dtype=str)
        rows = wide.rename_axis(columns=CELL).stack(CELL, future_stack=True).dropna()
        table = rows.rename("steps").rename_axis([*WORLD, *CELL]).reset_index()
        outcomes = table.astype({"seed": int, "steps": int})
    except (OSError, ValueError, AttributeError):
        raise UserError(
            f"{path}: is no outcomes of a reference run; give the folder of one, or make a run the reference with "
            "`taskreason verify RESULTS --keep`."
        ) from None
    return outcomes, read_json(folder / PROVENANCE)


def select_cell(
    outcomes: pd.DataFrame, policy: str, trained: str, task: str, decoding: str = GREEDY
) -> pd.DataFrame:
    """The episodes of one cell as the metrics take them; trained: on which task, "-" where a policy is not trained."""
    known = outcomes[(outcomes["policy"] == policy) & (outcomes["eval_task"] == task)]
    rows = known[known["train_task"].isin([trained, "-"]) & (known["decoding"] == decoding)]
    return rows.rename(columns={"world": "layout_hash"}).assign(success=rows["steps"] > 0)


def read_provenance(results: Path, scale: str) -> dict[str, Any]:
    """Configuration, versions, hardware and commit of a run's trainings, and the wall time of each by its name."""
    files = sorted(results.glob(f"{scale}/training/*/*.provenance.json"))
    if not files:
        raise UserError(
            f"{results}/{scale}/training: no provenance of a training is there; run `snakemake --cores all "
            f"--config scale={scale}` first, or name the scale with --scale."
        )
    records = [read_json(file) for file in files]
    try:
        first = {key: records[0][key] for key in ("config", "versions", "hardware", "commit")}
        first["config"] = first["config"] | {"tasks": _join_tasks(*records)}
        seconds = {
            f"{file.parent.name}/{file.name.partition('.provenance')[0]}": round(
                record["wall_seconds"]
            )
            for file, record in zip(files, records, strict=True)
        }
    except (KeyError, TypeError):
        raise UserError(
            f"{files[0]}: is no provenance of a training; make it again with `make reproduce`."
        ) from None
    return first | {"training_seconds": seconds}


def find_reference(results: Path, scale: str) -> Path:
    """The folder of the reference of a scale that came along for a run's environment, or would."""
    name = read_provenance(results, scale)["config"].get("environment", "robotouille")
    data = load_environment(name).data
    if data is None:
        raise UserError(f"{name} has no reference results; name a folder with --reference.")
    return data / "reference" / scale


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object of a reference or a training."""
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{path}: can't be read; give the folder of a reference run.") from None


def list_changes(
    reference: Any, found: Any, path: str = "", apart: Container[str] = APART
) -> list[str]:
    """Settings in which two configurations differ, in words; apart: settings that are left out."""
    if isinstance(reference, dict) and isinstance(found, dict):
        changes = []
        # What came after the reference changed nothing by default, and is not listed.
        for key in sorted(reference):
            place = f"{path}.{key}".strip(".")
            if place not in apart:
                changes += list_changes(reference[key], found.get(key), place, apart)
        return changes
    if reference == found:
        return []
    return [f"{path}: {json.dumps(reference)} there, {json.dumps(found)} here"]
