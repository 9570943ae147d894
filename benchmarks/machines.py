"""Hardware, time and memory of every scale that has run, on this machine and on those of `machines.csv`.

Input: results/*/benchmarks, one file of measures a job; output: `machines.csv`, and a table for docs/performance.md.
"""

import json
from pathlib import Path

import pandas as pd

from taskreason.config.load import load_config
from taskreason.durability.provenance import name_machine
from taskreason.report.render.tables import format_rows

RESULTS = Path(__file__).resolve().parents[1] / "results"
MACHINES = Path(__file__).with_name("machines.csv")
STUDIES = {"theory": "theory", "ablation": "ablations", "sweep": "sweep"}
"""Folders of benchmarks that are of no default run, and the targets that made them."""
HEADER = ["Scale", "Hardware", "Jobs", "Minutes of all jobs together", "of", "Largest, MiB"]


def make_scales() -> str | None:
    """The machines of the file and this one, whose row is replaced."""
    known = pd.read_csv(MACHINES, dtype=str, keep_default_na=False) if MACHINES.exists() else None
    found = [row for folder in sorted(RESULTS.glob("*/benchmarks")) for row in list_rows(folder)]
    rows = pd.concat([known, pd.DataFrame(found)]).drop_duplicates(
        ["scale", "hardware"], keep="last"
    )
    if rows.empty:
        return None
    rows.to_csv(MACHINES, index=False)
    return (
        f"{format_rows(HEADER, rows.to_numpy().tolist())}\n\n"
        "Made by `make reproduce` and `make readme` (`results/SCALE/benchmarks/`, `benchmarks/machines.csv`). "
        "Jobs run side by side on the cores that there are. Processor time does not grow where other "
        "work goes on during a run; wall time was measured with nothing else going on."
    )


def list_rows(folder: Path) -> list[dict[str, str]]:
    """What the jobs of one scale took, those of every study apart; none for a scale without a training."""
    scale = folder.parent
    records = sorted(scale.glob("training/*/*.provenance.json"))
    if not records:
        return []
    first = json.loads(records[0].read_text())
    hardware, trained = first["hardware"], {record.parent.name for record in records}
    # A scale may have been run for some of its tasks alone.
    part = "" if trained >= {*first["config"]["tasks"]} else ", ".join(sorted(trained))
    place = ", ".join([name_machine(hardware), f"{hardware['cores']} cores", *hardware["gpus"]])
    default = load_config({})
    extra = set(default.env.tasks) - set(default.tasks)
    groups: dict[str, list[pd.DataFrame]] = {}
    for file in sorted(folder.rglob("*.tsv")):
        study = STUDIES.get(file.relative_to(folder).parts[0], "")
        if file.stem.partition(".")[0] in extra:
            study = "extra tasks"
        groups.setdefault(study, []).append(pd.read_csv(file, sep="\t", na_values=["NA"]))
    rows = []
    for study, jobs in groups.items():
        # Jobs that end before the first measurement have none.
        measures = pd.concat(jobs).fillna({"cpu_time": 0, "max_rss": 0})
        rows.append(
            {
                "scale": ", ".join(filter(None, [scale.name, part, study])),
                "hardware": place,
                "jobs": str(len(jobs)),
                "minutes": f"{measures['cpu_time'].sum() / 60:.0f}",
                "of": "processor",
                "largest_mib": f"{measures['max_rss'].max():.0f}",
            }
        )
    return rows
