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
from math import isnan, nan
from pathlib import Path

import bases
import readme_tables
import walkthrough
from markdown_tables import ROOT, format_table, list_seeds, read_csv
from published_step import Step, count_flops, find_card, predict, read_steps

from taskreason.config.load import resolve_config
from taskreason.cost.estimate import estimate
from taskreason.durability.provenance import list_instructions

MACHINES = ROOT / "benchmarks" / "machines.csv"
OF_ONE_SEED = ("results", "baselines", "bound", "grid", "extra", "scales")
"""Parts that show the default run; tables of several seeds fill another."""
COLUMNS = ("s", "cpu_time", "max_rss")
STUDIES = {"theory": "theory", "ablation": "ablations", "sweep": "sweep"}
"""Folders of benchmarks that are of no default run, and the targets that made them."""
RECIPES = resolve_config({})["recipes"]
"""Their jobs are of no default run, either."""
ESTIMATED = (("paper", "h200"), ("paper", "h100"), ("paper_24gb", "rtx4090"))
"""Scales and cards whose cost the page on the published scale shows, that with every stage first."""


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
        records = sorted(scale.glob("training/*/*.provenance.json"))
        groups: dict[str, list[dict[str, float]]] = {}
        for file in sorted(folder.rglob("*.tsv")):
            where = file.relative_to(folder)
            study = STUDIES.get(where.parts[0], "")
            if "extra" in where.parts or where.stem.partition(".")[0] in RECIPES:
                study = "extra tasks"
            groups.setdefault(study, []).append(read_benchmark(file))
        if not records:
            continue
        hardware = json.loads(records[0].read_text())["hardware"]
        instructions = " ".join(hardware.get("instructions", list_instructions()))
        place = f"{hardware['processor']} ({instructions}), {hardware['cores']} cores"
        place += "".join(f", {gpu}" for gpu in hardware["gpus"])
        for study, jobs in groups.items():
            name = f"{scale.name}, {study}" if study else scale.name
            rows[name, place] = {
                "scale": name,
                "hardware": place,
                "jobs": str(len(jobs)),
                "minutes": f"{sum(job['cpu_time'] for job in jobs) / 60:.0f}",
                "of": "processor",
                "largest_mib": f"{max(job['max_rss'] for job in jobs):.0f}",
            }
    if not rows:
        return None
    with MACHINES.open("w", newline="") as file:
        writer = csv.DictWriter(file, next(iter(rows.values())).keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
    header = ["Scale", "Hardware", "Jobs", "Minutes of all jobs together", "of", "Largest, MiB"]
    return (
        f"{format_table(header, [list(row.values()) for row in rows.values()])}\n\n"
        "Made by `make reproduce` and `make readme` (`results/SCALE/benchmarks/`, `benchmarks/machines.csv`). "
        "Jobs run side by side on the cores that there are. Processor time does not grow where other "
        "work goes on beside a run; wall time was measured with nothing beside it."
    )


def make_estimate() -> str:
    """GPU-hours of the stages that need GPUs, memory, disk and wall time, on three kinds of card."""
    columns = {}
    for scale, gpu in ESTIMATED:
        result = estimate({"scale": scale}, gpu)
        heavy = result["stages"].query("gpus_per_job > 0").itertuples()
        cells = {f"`{s.stage}`": f"{s.gpu_hours:.1f} h, {s.memory_gb:.0f} GB" for s in heavy}
        columns["{gpu}, scale `{scale}`".format_map(result)] = cells | {
            "all jobs": f"{result['gpu_hours']:.0f} GPU-hours",
            "wall time": f"{result['wall_hours']:.0f} h on {result['gpus']}",
            "disk": f"{result['disk_gb']:.0f} GB",
        }
    names = next(iter(columns.values()))
    body = [[name, *(cells.get(name, "–") for cells in columns.values())] for name in names]
    return (
        f"{format_table(['Stage', *columns], body)}\n\n"
        "Hours of all jobs of the stage, and memory a GPU. Made by `taskreason estimate` and `make readme`: "
        "a calculation, some of whose constants come from the steps above (`workflow/taskreason/cost/model.py`)."
    )


def make_published_size() -> str | None:
    """What steps of the published size took where benchmarks/published_size.py ran, beside the estimate of the same."""
    steps = read_steps()
    if not steps:
        return None
    body = []
    for step in steps:
        known = find_card(step.hardware) and not isnan(step.prompt)
        seconds, sampling, memory = predict(step) if known else (nan, nan, nan)
        speed = count_flops(step) / step.step_s / 1e12 if step.stage == "sft" and known else nan
        spent = step.sampling_s if step.stage == "grpo" else step.step_s
        body.append(
            [
                step.hardware,
                describe_step(step),
                print_known(step.prompt, ".0f"),
                f"{step.step_s:.3g} ({print_known(seconds, '.3g')})",
                f"{print_known(step.sampling_s, '.3g')} ({print_known(sampling, '.3g')})",
                f"{step.largest_gb:.0f} ({print_known(memory, '.0f')})",
                print_known(step.tokens / spent, ",.0f"),
                f"{speed:.0f}, {speed / step.matmul_tflops:.0%}" if speed == speed else "–",
            ]
        )
    header = ["Machine", "One step", "Tokens of a prompt", "Seconds", "of these sampling"]
    header += ["Largest memory, GB", "Tokens/s", "TFLOP/s, share of matrix products"]
    return (
        f"{format_table(header, body)}\n\n"
        "Random weights in the shape of Qwen2.5-1.5B, whose replies run to the limit of tokens; in parentheses the "
        "estimate for the same step. Memory is that of tensors, on a CPU of the process. Tokens are those learnt from "
        "in SFT, and written elsewhere. Made by `benchmarks/published_size.py` and `make readme`."
    )


def describe_step(step: Step) -> str:
    """A step's stage, size, and what is trained in it."""
    if step.stage == "rollout":
        return f"greedy replies of {step.reply:.0f} tokens; prompts: {step.rows}"
    trained = f"adapters of rank {step.lora_rank}" if step.lora_rank else "all weights"
    if step.stage == "sft":
        return f"SFT, {trained}; decisions: {step.rows}, at a time: {step.micro_batch}"
    replies = f"replies to each: {step.group}, at a time: {step.micro_batch}"
    return f"GRPO, {trained}; states: {step.rows}, {replies}"


def print_known(value: float, form: str) -> str:
    return "–" if isnan(value) else format(value, form)


def make_endurance() -> str | None:
    """What became of a run that was killed again and again."""
    source = ROOT / "results" / "bench" / "endurance.json"
    if not source.exists():
        return None
    found = json.loads(source.read_text())
    labels = {
        "kills": "kills",
        "killed_during": "jobs that were running, by script",
        "trainings_resumed": "trainings that went on from a checkpoint",
        "jobs": "jobs of the run",
        "files_compared": "files compared",
    }
    rows = {label: found[key] for key, label in labels.items()}
    rows |= {key.replace("_", " "): value for key, value in found["wrong"].items()}
    body = [[key, _print_found(value)] for key, value in rows.items()]
    table = format_table([f"Smoke scale, {found['cores']} cores", "Found"], body)
    return f"{table}\n\nMade by `benchmarks/endurance.py`."


def _print_found(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def make_mutations() -> str | None:
    """Which test notices which break of the science."""
    source = ROOT / "results" / "bench" / "mutations.json"
    if not source.exists():
        return None
    found = json.loads(source.read_text())
    body = [[name, f"`{test}`" if test else "**nothing**"] for name, test in found.items()]
    return f"{format_table(['Broken', 'Noticed by'], body)}\n\nMade by `benchmarks/mutations.py`."


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
    return {key: float(row[key]) if row[key] != "NA" else 0.0 for key in COLUMNS}


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
        "results": readme_tables.make_results,
        "baselines": readme_tables.make_baselines,
        "bound": readme_tables.make_bound,
        "grid": readme_tables.make_grid,
        "extra": readme_tables.make_extra,
        "seeds": readme_tables.make_seeds,
        "sweep": readme_tables.make_sweep,
        "theory": readme_tables.make_theory,
        "ablations": readme_tables.make_ablations,
        "speeds": make_speeds,
        "scales": make_scales,
        "estimate": make_estimate,
        "published_size": make_published_size,
        "bases": bases.make_table,
        "walkthrough": walkthrough.make_table,
        "endurance": make_endurance,
        "mutations": make_mutations,
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
