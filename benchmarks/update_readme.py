"""Fill the generated parts of README.md: results, speeds, time per scale, and the graph of rules.

Each part lies between `<!-- begin NAME -->` and `<!-- end NAME -->`. A part whose source is not
there (a scale that has not run, no benchmark yet) stays as it is: tables of one seed fill the parts
of the default run, tables of several the part on seeds. `--check` changes nothing and fails where
the graph of rules, which needs no run, is out of date.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from taskreason.cost.estimate import estimate
from taskreason.provenance import list_instructions
from taskreason.report.macros import count_parameters

ROOT = Path(__file__).resolve().parents[1]
RESOURCES = ROOT / "workflow" / "resources"
MACHINES = ROOT / "benchmarks" / "machines.csv"
POLICIES = {
    "expert": "Expert",
    "base": "Base",
    "sft": "SFT",
    "sft_grpo": "SFT + GRPO",
}
OF_ONE_SEED = ("results", "baselines", "grid", "scales")
"""Parts that show the default run; tables of several seeds fill another."""
ESTIMATED = (("paper", "h200"), ("paper", "h100"), ("paper_24gb", "rtx4090"))
"""Scales and cards whose cost the page on the published scale shows."""
GAIN = ("gain", "gain_low", "gain_high")


def make_results() -> str | None:
    """SR with interval, ASAT, ASST and share of shortest plans for every task and policy."""
    rows = read_table("main")
    if rows is None:
        return None
    header = [
        "Task",
        "Policy",
        "Episodes",
        "SR (interval)",
        "ASAT",
        "ASST",
        "Shortest plans",
        "Steps over optimal",
    ]
    body = [
        [
            row["task"].replace("_", " "),
            POLICIES.get(row["policy"], row["policy"]),
            row["episodes"],
            f"{float(row['sr']):.2f} ({float(row['sr_low']):.2f}–{float(row['sr_high']):.2f})",
            format_number(row["asat"], 1),
            format_number(row["asst"], 1),
            format_number(row["minimal_rate"], 2),
            f"{float(row['excess_steps']):+.1%}" if row["excess_steps"] else "–",
        ]
        for row in rows
    ]
    return f"{format_table(header, body)}\n\nMade by `snakemake results/tables/main.csv`."


def make_grid() -> str | None:
    """SR of every trained policy (row) on every task (column)."""
    rows = read_table("generalization")
    if rows is None:
        return None
    cells = {(row["train_task"], row["eval_task"]): float(row["sr"]) for row in rows}
    tasks = list(dict.fromkeys(trained for trained, _ in cells))
    header = ["Trained on", *(task.replace("_", " ") for task in tasks)]
    body = [
        [row.replace("_", " "), *(f"{cells[row, column]:.2f}" for column in tasks)] for row in tasks
    ]
    return f"{format_table(header, body)}\n\nMade by `snakemake results/tables/generalization.csv`."


def make_baselines() -> str | None:
    """SR of what the policies are measured against, and GRPO's gains paired by kitchen."""
    rows = read_table("baselines")
    if rows is None:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    body = []
    for name in dict.fromkeys(row["row"] for row in rows):
        cells = {row["task"]: row for row in rows if row["row"] == name}
        if cells[tasks[0]]["gain"]:
            better, _, worse = name.partition(" - ")
            label = f"gain of {label_row(better)} over {label_row(worse)}"
            gains = [[cells[task][key] for key in GAIN] for task in tasks]
            shown = [print_gain(*gain) for gain in gains]
        else:
            label = label_row(name)
            shown = [f"{float(cells[task]['sr']):.2f}" for task in tasks]
        body.append([label, *shown])
    header = ["SR", *(task.replace("_", " ") for task in tasks)]
    return (
        f"{format_table(header, body)}\n\n"
        f"Parameters: {', '.join(list_sizes())}. Made by `snakemake results/tables/baselines.csv`."
    )


def list_sizes() -> list[str]:
    """The base models that the project ships, each with its number of parameters."""
    folders = [RESOURCES / "base_model", *sorted((RESOURCES / "base_models").iterdir())]
    names = ["Base", *(f"Base, {folder.name}" for folder in folders[1:])]
    return [
        f"{name} {count_parameters(folder):,}" for name, folder in zip(names, folders, strict=True)
    ]


def label_row(name: str) -> str:
    labels = POLICIES | {
        "random": "random action",
        "greedy": "rule of thumb",
        "sft_longer": "longer SFT",
        "down": "lowest, on it and simpler tasks",
    }
    return labels.get(name, name.replace("base:", "Base, "))


def print_gain(*bounds: str) -> str:
    gain, low, high = map(float, bounds)
    return f"{gain:+.2f} ({low:+.2f} to {high:+.2f})"


def make_seeds() -> str | None:
    """The trained policies and GRPO's gains seed by seed."""
    rows = read_table("seeds")
    if rows is None:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    body = []
    for name in dict.fromkeys(row["row"] for row in rows):
        better, _, worse = name.partition(" - ")
        label = f"gain over {label_row(worse)}" if worse else label_row(better)
        for seed in [*list_seeds(), "all"]:
            cells = {r["task"]: r for r in rows if (r["row"], r["seed"]) == (name, seed)}
            bounds = [[cells[task][key] for key in ("value", "low", "high")] for task in tasks]
            if worse:
                shown = [print_gain(*bound) for bound in bounds]
            else:
                shown = [f"{float(value):.2f}" for value, _, _ in bounds]
            body.append([label, seed, *shown])
            label = ""
    header = ["SR", "Seed", *(task.replace("_", " ") for task in tasks)]
    made = ", ".join(list_seeds())
    return (
        "Each training by itself, and all of a task pooled, with intervals that take in the spread of kitchens and of\n"
        "seeds; *lowest* is the smallest success rate that a training reaches on its task and on the simpler ones:\n\n"
        f"{format_table(header, body)}\n\n{summarise_seeds(rows)}\n\n"
        f"Made by `snakemake results/tables/seeds.csv --config seeds='[{made}]'`."
    )


def summarise_seeds(rows: list[dict[str, str]]) -> str:
    """In which trainings GRPO's gain has an interval on one side of zero, and how low the rates go."""
    gains = [row for row in rows if row["row"] == "sft_grpo - sft"]
    sentences = []
    for name, part in (
        ("In single trainings", [row for row in gains if row["seed"] != "all"]),
        ("On the tasks with all seeds together", [row for row in gains if row["seed"] == "all"]),
    ):
        above = sum(float(row["low"]) > 0 for row in part)
        below = sum(float(row["high"]) < 0 for row in part)
        sentences.append(
            f"{name}, the interval of GRPO's gain over SFT lies above zero in {above} and below zero in {below} "
            f"of {len(part)}."
        )
    for name, label in (("sft_grpo", "its own task"), ("down", "its own and the simpler tasks")):
        rates = [float(r["value"]) for r in rows if r["row"] == name and r["seed"] != "all"]
        sentences.append(f"The lowest success rate of a training on {label} is {min(rates):.2f}.")
    return "\n".join(sentences)


def make_sweep() -> str | None:
    """What a sweep on the validation kitchens tried."""
    rows = read_table("sweep")
    if rows is None:
        return None
    columns = {
        "sr_before": "SR before",
        "sr_after": "SR after",
        "training_states": "training states",
        "unseen_states": "unseen states",
        "reward": "reward",
        "kl": "KL",
        "zero_std_share": "without spread",
    }
    body = [
        [row["point"], *(format_number(row[key], 4 if key == "kl" else 2) for key in columns)]
        for row in rows
    ]
    table = format_table(["Changed", *columns.values()], body)
    return (
        f"{table}\n\nMade by `snakemake sweep` with the values under `sweep` in the scale's file."
    )


def make_speeds() -> str | None:
    source = ROOT / "results" / "bench" / "summary.json"
    if not source.exists():
        return None
    numbers = json.loads(source.read_text())
    body = [[f"`{key}`", f"{value:,.6g}"] for key, value in numbers.items()]
    return f"{format_table(['Measure', 'Value'], body)}\n\nMade by `make bench`."


def make_scales() -> str | None:
    """Hardware, time and memory of every scale that has run, on this machine and on those of `machines.csv`."""
    rows = {(row["scale"], row["hardware"]): row for row in read_csv(MACHINES)}
    for folder in sorted((ROOT / "results").glob("*/benchmarks")):
        scale = folder.parent
        files = [file for file in sorted(folder.rglob("*.tsv")) if "sweep" not in file.parts]
        jobs = [read_benchmark(file) for file in files]
        records = sorted(scale.glob("training/*/*.provenance.json"))
        if not jobs or not records:
            continue
        hardware = json.loads(records[0].read_text())["hardware"]
        instructions = " ".join(hardware.get("instructions", list_instructions()))
        place = f"{hardware['processor']} ({instructions}), {hardware['cores']} cores"
        place += "".join(f", {gpu}" for gpu in hardware["gpus"])
        rows[scale.name, place] = {
            "scale": scale.name,
            "hardware": place,
            "jobs": str(len(jobs)),
            "minutes": f"{sum(job['s'] for job in jobs) / 60:.0f}",
            "largest_mib": f"{max(job['max_rss'] for job in jobs):.0f}",
        }
    if not rows:
        return None
    with MACHINES.open("w", newline="") as file:
        writer = csv.DictWriter(file, next(iter(rows.values())).keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
    header = ["Scale", "Hardware", "Jobs", "Minutes of all jobs, one after another", "Largest, MiB"]
    return (
        f"{format_table(header, [list(row.values()) for row in rows.values()])}\n\n"
        "Made by `make reproduce` and `make readme` (`results/SCALE/benchmarks/`, `benchmarks/machines.csv`). "
        "Jobs run side by side on the cores that there are."
    )


def make_estimate() -> str:
    """GPU-hours of the stages that need GPUs, memory, disk and wall time, on three kinds of card."""
    results = [estimate(*place) for place in ESTIMATED]
    heavy = [stage.stage for stage in results[0].stages if stage.gpus_per_job]
    body = []
    for name in heavy:
        stages = [next(s for s in result.stages if s.stage == name) for result in results]
        cells = [
            f"{s.gpu_hours:.1f} h, {s.memory_gb:.0f} GB" if s.gpus_per_job else "–" for s in stages
        ]
        body.append([f"`{name}`", *cells])
    body.append(["all jobs", *(f"{result.gpu_hours:.0f} GPU-hours" for result in results)])
    body.append(
        ["wall time", *(f"{result.wall_hours:.0f} h on {result.gpus}" for result in results)]
    )
    body.append(["disk", *(f"{result.disk_gb:.0f} GB" for result in results)])
    header = ["Stage", *(f"{result.gpu}, scale `{result.scale}`" for result in results)]
    return (
        f"{format_table(header, body)}\n\n"
        "Hours of all jobs of the stage, and memory a GPU. Made by `taskreason estimate` and `make readme`: "
        "a calculation, nothing was measured."
    )


def make_graph() -> str:
    """The rules in mermaid, without the arrows that others imply."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", done.stdout, re.MULTILINE))
    arrows = re.findall(r"^\s*(id\d+) --> (id\d+)", done.stdout, re.MULTILINE)
    edges = {(names[start], names[end]) for start, end in arrows}
    lines = [f"    {start} --> {end}" for start, end in sorted(reduce_edges(edges))]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def reduce_edges(edges: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The edges of an acyclic graph without those for which a longer path exists."""
    below: dict[str, set[str]] = {}
    for start, end in edges:
        below.setdefault(start, set()).add(end)

    def reach(node: str) -> set[str]:
        return {end for step in below.get(node, ()) for end in {step, *reach(step)}}

    for start, end in edges:
        if not any(end in reach(step) for step in below[start] if step != end):
            yield start, end


def read_benchmark(file: Path) -> dict[str, float]:
    row = next(csv.DictReader(file.open(), delimiter="\t"))
    # Jobs that end before the first measurement of memory have NA there.
    return {key: float(row[key]) if row[key] != "NA" else 0.0 for key in ("s", "max_rss")}


def read_table(name: str) -> list[dict[str, str]] | None:
    """The rows of a table of this run; None where it has not been made."""
    return read_csv(ROOT / "results" / "tables" / f"{name}.csv") or None


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where there is no file."""
    return list(csv.DictReader(path.open())) if path.exists() else []


def list_seeds() -> list[str]:
    """The seeds of the trainings behind the tables; the pooled rows of `seeds.csv` are named 'all'."""
    rows = read_table("seeds") or []
    return [seed for seed in dict.fromkeys(row["seed"] for row in rows) if seed != "all"]


def format_number(text: str, digits: int) -> str:
    return f"{float(text):.{digits}f}" if text else "–"


def format_table(header: list[str], body: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def replace_part(text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    changed, count = re.subn(
        pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL
    )
    if count != 1:
        sys.exit(f"README.md: lacks the markers of the part '{name}'; restore them.")
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="only say whether the graph is current"
    )
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    text = readme.read_text()
    if check:
        if replace_part(text, "graph", make_graph()) != text:
            sys.exit("README.md: the graph of rules is out of date; run `make readme`.")
        return
    makers = {
        "results": make_results,
        "baselines": make_baselines,
        "grid": make_grid,
        "seeds": make_seeds,
        "sweep": make_sweep,
        "speeds": make_speeds,
        "scales": make_scales,
        "estimate": make_estimate,
        "graph": make_graph,
    }
    several = len(list_seeds()) > 1
    for name, make in makers.items():
        skipped = name in OF_ONE_SEED if several else name == "seeds"
        content = None if skipped else make()
        if content is None:
            print(f"README.md: '{name}' stays as it is, its source has not been made by this run.")
        else:
            text = replace_part(text, name, content)
    readme.write_text(text)


if __name__ == "__main__":
    main()
