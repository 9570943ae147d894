"""What the page tells of the run itself: with what every training was made, and what every stage cost.

Input: results/SCALE, whose trainings left provenance files and whose jobs left Snakemake's benchmarks (one
row of seconds, CPU seconds and MiB each); output: `PageTable`s. A job that was done elsewhere and copied in
has no benchmark, and is not counted.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskreason.report.labels import task_title
from taskreason.report.numbers.settings import flatten_settings
from taskreason.report.page.cells import MISSING, Cell, Number, PageTable, head, merge_heads
from taskreason.report.training_logs import read_json

STAGES = {"sft": "SFT", "grpo": "GRPO", "sft_longer": "Longer SFT"}
MEASURES = ("s", "cpu_time", "max_rss")


@dataclass(frozen=True)
class Training:
    """One training: its task, stage and what its provenance file says."""

    task: str
    stage: str
    record: Mapping

    @property
    def hardware(self) -> str:
        """'AMD EPYC (avx2), 2 cores, 8 GiB'."""
        known = self.record["hardware"]
        instructions = " ".join(known.get("instructions", ()))
        parts = [f"{known['processor']} ({instructions})" if instructions else known["processor"]]
        parts += [f"{known['cores']} cores", f"{known['memory_gib']} GiB", *known["gpus"]]
        return ", ".join(parts)


def read_trainings(paths: Sequence[Path]) -> list[Training]:
    """The trainings behind provenance files TASK/STAGE.provenance.json."""
    return [
        Training(
            path.parent.name.partition(".")[0],
            path.name.removesuffix(".provenance.json"),
            read_json(path),
        )
        for path in paths
    ]


def list_trainings(trainings: Sequence[Training]) -> PageTable:
    """Seed, wall time, code and machine of each training."""
    body = [
        [
            head(task_title(training.task)),
            head(STAGES.get(training.stage, training.stage)),
            Cell(str(training.record["seed"])),
            _print_minutes(training.record["wall_seconds"]),
            Cell((training.record["commit"] or MISSING)[:12]),
            Cell(training.hardware),
        ]
        for training in trainings
    ]
    titles = ["Task", "Stage", "Seed", "Minutes", "Commit", "Machine"]
    return merge_heads(PageTable(titles, body))


def list_versions(trainings: Sequence[Training]) -> PageTable:
    """Versions of what can change a number; several where trainings were made with different ones."""
    found: dict[str, list[str]] = {}
    for training in trainings:
        for package, version in training.record["versions"].items():
            found.setdefault(package, []).append(version)
    body = [
        [head(package), Cell(", ".join(dict.fromkeys(versions)))]
        for package, versions in found.items()
    ]
    return PageTable(["Package", "Version"], body)


def list_costs(root: Path) -> PageTable | None:
    """Jobs, wall time, processor time and largest memory of each stage; None without a benchmark."""
    stages: dict[str, list[dict[str, float]]] = {}
    for folder in (root / "benchmarks", root.parent / "benchmarks"):
        for path in sorted(folder.rglob("*.tsv")):
            stages.setdefault(name_stage(path.relative_to(folder)), []).append(
                _read_benchmark(path)
            )
    if not stages:
        return None
    rows = {**stages, "all": [job for jobs in stages.values() for job in jobs]}
    body = [
        [
            head(stage),
            _print_count(len(jobs)),
            _print_minutes(sum(job["s"] for job in jobs)),
            _print_minutes(max(job["s"] for job in jobs)),
            _print_minutes(sum(job["cpu_time"] for job in jobs)),
            _print_count(max(job["max_rss"] for job in jobs)),
        ]
        for stage, jobs in rows.items()
    ]
    titles = ["Stage", "Jobs", "Minutes", "Longest job", "Processor minutes", "Largest, MiB"]
    return PageTable(titles, body)


def name_stage(place: Path) -> str:
    """The stage whose job left a benchmark: 'evaluate/sft/burger.tsv' -> 'evaluate sft'."""
    parts = place.with_suffix("").parts
    if parts[0] == "ablation":
        return f"ablation {parts[2]}"
    return " ".join(parts[:2] if parts[0] in ("evaluate", "theory") else parts[:1])


def list_settings(config: Mapping) -> list[tuple[str, str]]:
    """Every setting by its key, 'grpo.beta' -> '0.03'."""
    return [(key, _print_setting(value)) for key, value in flatten_settings(config).items()]


def _print_setting(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return MISSING if value in ("", None) else str(value)


def _print_minutes(seconds: float) -> Cell:
    return Cell(number=Number(f"{seconds / 60:.1f}", str(seconds / 60)))


def _print_count(number: float) -> Cell:
    return Cell(number=Number(f"{number:,.0f}", str(number)))


def _read_benchmark(path: Path) -> dict[str, float]:
    """One job's measures; 0 where it was too short for one."""
    with path.open() as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    return {key: float(row[key]) if row[key] not in ("-", "NA") else 0.0 for key in MEASURES}
