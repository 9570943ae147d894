"""What the page tells of the run itself: with what every training was made, and what every stage cost.

Input: results/SCALE, whose trainings left provenance files and whose jobs left Snakemake's benchmarks (one
row of seconds, CPU seconds and MiB each); output: tables. A job that was done elsewhere and copied in
has no benchmark, and is not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.labels import task_title
from taskreason.report.numbers.settings import flatten_settings
from taskreason.report.tables.spec import COUNT, STEPS, Spec, columns, name
from taskreason.report.trainings import read_json

STAGES = {"sft": "SFT", "grpo": "GRPO", "sft_longer": "Longer SFT"}
SPECS = {
    "trainings": Spec(
        [
            name("task", "Task", task_title),
            name("stage", "Stage", lambda key: STAGES.get(key, key)),
        ],
        [
            name("seed", "Seed"),
            *columns(STEPS, minutes="Minutes"),
            name("commit", "Commit"),
            name("machine", "Machine"),
        ],
    ),
    "costs": Spec(
        [name("stage", "Stage")],
        [
            *columns(COUNT, jobs="Jobs"),
            *columns(STEPS, minutes="Minutes", longest="Longest job"),
            *columns(STEPS, processor="Processor minutes"),
            *columns(COUNT, memory="Largest, MiB"),
        ],
    ),
    "versions": Spec([name("package", "Package")], [name("version", "Version")]),
    "settings": Spec([name("key", "Key")], [name("value", "Value")]),
}


def list_trainings(paths: Sequence[Path]) -> pd.DataFrame:
    """Seed, wall time, code and machine of each training, from provenance files TASK/STAGE.provenance.json."""
    rows = []
    for path in paths:
        record = read_json(path)
        rows.append(
            {
                "task": path.parent.name.partition(".")[0],
                "stage": path.name.removesuffix(".provenance.json"),
                "seed": record["seed"],
                "minutes": record["wall_seconds"] / 60,
                "commit": (record["commit"] or "")[:12],
                "machine": describe_machine(record["hardware"]),
            }
        )
    return pd.DataFrame(rows)


def describe_machine(hardware: Mapping) -> str:
    """'AMD EPYC (avx2), 2 cores, 8 GiB'."""
    instructions = " ".join(hardware.get("instructions", ()))
    processor = (
        f"{hardware['processor']} ({instructions})" if instructions else hardware["processor"]
    )
    parts = [processor, f"{hardware['cores']} cores", f"{hardware['memory_gib']} GiB"]
    return ", ".join([*parts, *hardware["gpus"]])


def list_versions(paths: Sequence[Path]) -> pd.DataFrame:
    """Versions of what can change a number; several where trainings were made with different ones."""
    found: dict[str, dict[str, None]] = {}
    for path in paths:
        for package, version in read_json(path)["versions"].items():
            found.setdefault(package, {})[version] = None
    rows = [(package, ", ".join(versions)) for package, versions in found.items()]
    return pd.DataFrame(rows, columns=["package", "version"])


def list_costs(root: Path) -> pd.DataFrame:
    """Jobs, wall time, processor time and largest memory of each stage; no row without a benchmark."""
    jobs = [
        # Jobs that end before the first measurement have no processor time and memory.
        pd.read_csv(path, sep="\t", na_values=["-", "NA"]).assign(
            stage=name_stage(path.relative_to(folder))
        )
        for folder in (root / "benchmarks", root.parent / "benchmarks")
        for path in sorted(folder.rglob("*.tsv"))
    ]
    if not jobs:
        return pd.DataFrame()
    every = pd.concat(jobs).fillna({"s": 0, "cpu_time": 0, "max_rss": 0})
    stages = pd.concat([every, every.assign(stage="all")]).groupby("stage", sort=False)
    costs = stages.agg(
        jobs=("s", "size"),
        minutes=("s", "sum"),
        longest=("s", "max"),
        processor=("cpu_time", "sum"),
        memory=("max_rss", "max"),
    )
    costs[["minutes", "longest", "processor"]] /= 60
    return costs.reset_index()


def name_stage(place: Path) -> str:
    """The stage whose job left a benchmark: 'evaluate/sft/burger.tsv' -> 'evaluate sft'."""
    parts = place.with_suffix("").parts
    if parts[0] == "ablation":
        return f"ablation {parts[2]}"
    return " ".join(parts[:2] if parts[0] in ("evaluate", "theory") else parts[:1])


def list_settings(cfg: Config) -> pd.DataFrame:
    """Every setting by its key, 'grpo.beta' -> '0.03', but for what a scheduler is asked."""
    rows = [
        (key, _print_setting(value))
        for key, value in flatten_settings(asdict(cfg)).items()
        if not key.startswith("resources.")
    ]
    return pd.DataFrame(rows, columns=["key", "value"])


def _print_setting(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
