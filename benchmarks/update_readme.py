"""Fill the generated parts of README.md and docs/: tables of results, speeds, time per scale, the graph of rules.

Each part lies between `<!-- begin NAME -->` and `<!-- end NAME -->`. A part whose source is not there (a scale that has
not run, no benchmark yet) stays as it is. Tables of one training a task on the default tasks fill the parts of the
default run; those of several seeds (the confirmation) or of another environment fill parts of their own. `--check`
changes nothing and fails where the graph of rules, which needs no run, is out of date.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import arithmetic
import claims
import generator
import gguf_replies
import machines
import pandas as pd
import planner
import pretrained
import published_cost
import replies
import ten_tasks
import walkthrough

from taskreason.cli.score import list_kept
from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.files import decode
from taskreason.durability.provenance import name_machine
from taskreason.environments import ENVIRONMENTS, load_environment
from taskreason.environments.base import Environment
from taskreason.policies.model_names import expand
from taskreason.report.captions import read_caption, title_table
from taskreason.report.inputs import PRETRAINED
from taskreason.report.labels import (
    GRID_POLICY,
    TRAINED,
    label_policy,
    name_compared,
    task_title,
)
from taskreason.report.numbers.published import judge_abstract
from taskreason.report.page.build import HEADLINE, make_headline
from taskreason.report.published import load_published
from taskreason.report.render.tables import format_rows, render_markdown
from taskreason.report.tables import kept
from taskreason.report.tables.leaderboard import print_comparison, print_leaderboard
from taskreason.report.tables.registry import find_specs
from taskreason.report.trainings import count_parameters
from taskreason.rollouts.panel import load_panel
from taskreason.rollouts.score import read_score
from taskreason.studies.scores import compare_scores, list_rates

ROOT = Path(__file__).resolve().parents[1]
TABLES, BENCH = ROOT / "results" / "tables", ROOT / "results" / "bench"
HEADLINE_TABLES = ("comparison", "baselines", "gains")
CONFIRMATION = "results/tables/TABLE.csv --configfile config/confirmation.yaml"
Make = Callable[[], str | None]


def find_run() -> tuple[Environment, str]:
    """The environment whose tables are there, and the group of parts they fill: "default", "confirmation", "extra"."""
    main, default = TABLES / "main.csv", load_config({})
    if not main.exists():
        return default.env, "default"
    rows = pd.read_csv(main)
    tasks = set(rows["task"])
    env = next(e for e in map(load_environment, ENVIRONMENTS) if tasks <= set(e.tasks))
    if env.name != default.environment:
        return env, env.name
    confirmed = rows["seed"].nunique() > 1
    # A smoke run's tables have the same tasks and fewer worlds.
    if tasks != set(default.tasks) or (
        not confirmed and rows["episodes"].max() < default.worlds.evaluation
    ):
        return env, "extra"
    return env, "confirmation" if confirmed else "default"


def print_tables(
    env: Environment, names: list[str], command: str, told: bool = False
) -> str | None:
    """Tables of this run below one another; told: with titles and captions."""
    parts = []
    for name in names:
        file = TABLES / f"{name}.csv"
        if not file.exists():
            return None
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        if told:
            caption = read_caption("tables", name, env.worlds)
            parts.append(f"**{title_table(name)}.** {caption}")
        parts += [render_markdown(spec, rows) for spec in find_specs(name, env)]
    return "\n\n".join([*parts, f"Made by `snakemake {command}`."])


def make_results() -> str | None:
    """The one table of README.md: a row a task."""
    files = [TABLES / f"{name}.csv" for name in HEADLINE_TABLES]
    if not all(file.exists() for file in files):
        return None
    rows = make_headline(*map(pd.read_csv, files))
    shown = [column for column in HEADLINE.values if column.key != "published"]
    return render_markdown(replace(HEADLINE, values=shown), rows)


def make_baselines(env: Environment) -> str | None:
    """All policies, and below them the sizes of the base models."""
    cfg = load_config({})
    sizes = [
        f"{label_policy(policy)} {count_parameters(Path(expand(name, cfg.env))):,}"
        for policy, name in [
            ("base", cfg.base.model),
            *((name_compared(name), name) for name in cfg.base.compare),
        ]
    ]
    table = print_tables(env, ["baselines"], "results/tables/baselines.csv")
    return table and f"{table} Parameters: {'; '.join(sizes)}."


def make_published(env: Environment) -> str | None:
    """The tests of the published gains, and below them what the abstract's rate stands beside."""
    table = print_tables(env, ["published_tests"], "results/tables/published_tests.csv")
    published, cfg = load_published(env), load_config({})
    told = judge_abstract(published, cfg)
    rate, steps = (published.setting[f"abstract_{key}"] for key in ("success_rate", "steps"))
    return table and (
        f"{table}\n\nThe abstract has a success rate of {rate} for tasks with over {steps} steps. In Table 1 such a "
        f"task is {told['PubAbstractLong']}; it prints {rate} on {told['PubAbstractSame']}."
    )


def make_regimes(env: Environment) -> str | None:
    """The law in a sentence, and the map's table."""
    law, table = ROOT / "results" / "regimes.md", print_tables(env, ["regimes"], "regimes", True)
    return table and f"{law.read_text()}\n{table}"


def make_leaderboard(env: Environment) -> str:
    """The scores that come along, each replayed."""
    panel = load_panel(env)
    scores = [read_score(path, panel) for path in list_kept(env)]
    table = print_leaderboard(list_rates(scores), env)
    return f"{table}\n\nMade by `taskreason score`, panel version {panel.version}."


def make_duel(env: Environment) -> str:
    """SFT + GRPO against the rule of thumb, as `taskreason compare` tells it."""
    panel, folder = load_panel(env), list_kept(env)[0].parent
    rule, trained = (read_score(folder / f"{n}.json.gz", panel) for n in ("greedy", "sft_grpo"))
    return (
        f"{print_comparison(compare_scores(rule, trained), env)}\n\nA: {rule.name}; B: {trained.name}. Made by "
        "`taskreason compare` from the kept scores."
    )


def list_parts() -> dict[str, dict[str, Make]]:
    """File -> name of a part -> what makes it, for all that this run can fill."""
    env, group = find_run()
    show = partial(partial, print_tables, env)
    of_run: dict[str, dict[str, dict[str, Make]]] = {
        "default": {
            "README.md": {"results": make_results},
            "docs/results.md": {
                "results_full": show(["main"], "results/tables/main.csv"),
                "published_tests": partial(make_published, env),
                "baselines": partial(make_baselines, env),
                "gains": show(["gains"], "results/tables/gains.csv"),
                "sharpening": show(["sharpening"], "results/tables/sharpening.csv"),
                "starts": show(["starts"], "results/tables/starts.csv"),
                "splits": show(["splits"], "results/tables/splits.csv"),
                "grid": show(["generalization"], "results/tables/generalization.csv"),
            },
        },
        "confirmation": {
            "docs/results.md": {
                "confirmation": show(["gains", "starts"], CONFIRMATION),
                "confirmation_rates": show(["main", "generalization", "seeds"], CONFIRMATION),
            }
        },
        "extra": {},
    }
    other = {
        "docs/new_environment.md": {
            env.name: show(["main", "generalization"], f"--config environment={env.name}")
        }
    }
    theory = ["single", "recursion", "multi", "horizons", "grid", "fixed_point"]
    theory = [f"theory_{part}" for part in theory]
    ablations = ["ablation_points", "ablation_experts", "ablation_turns"]
    always: dict[str, dict[str, Make]] = {
        "docs/results.md": {
            "sweep": show(["sweep"], "sweep"),
            "theory": show(theory, "theory", told=True),
            "ablations": show(ablations, "ablations", told=True),
            "regimes": partial(make_regimes, env),
            "states": show(["states"], "states", told=True),
            "pretrained": partial(make_pretrained, load_config({})),
        },
        "README.md": {"pretrained": partial(make_pretrained_headline, load_config({}))},
        "docs/reliability.md": {
            "endurance": make_endurance,
            "arithmetic": arithmetic.make_table,
            "mutations": make_mutations,
        },
        "docs/published_scale.md": {
            "estimate": published_cost.make_estimate,
            "published_size": published_cost.make_published_size,
        },
        "docs/performance.md": {
            "speeds": make_speeds,
            "scales": machines.make_scales,
            "walkthrough": walkthrough.make_table,
            "cores": make_cores,
            "compare": make_compare,
            "engines": make_engines,
            "pretrained_speed": pretrained.make_table,
        },
        "docs/configuration.md": {"gguf": gguf_replies.make_table},
        "docs/workflow.md": {"graph": make_graph},
        "docs/tasks.md": {
            "kitchens": generator.make_table,
            "ten_tasks": ten_tasks.make_table,
            "planner": planner.make_table,
        },
        "docs/claims.md": {"claims": claims.make_table},
        "docs/replies.md": {
            "replies": partial(replies.make_replies, load_config({"scale": PRETRAINED}), "burger")
        },
        "docs/leaderboard.md": {
            "leaderboard": partial(make_leaderboard, load_config({}).env),
            "duel": partial(make_duel, load_config({}).env),
        },
    }
    chosen = of_run.get(group, other)
    files = dict.fromkeys([*chosen, *always])
    return {file: chosen.get(file, {}) | always.get(file, {}) for file in files}


def make_pretrained(cfg: Config) -> str | None:
    """What the kept run of the pretrained model came to; cfg: of any other scale."""
    found = kept.read_kept(cfg)
    if found is None:
        return None
    rows, record = found
    tables = [render_markdown(spec, rows[name]) for name, (spec,) in kept.SPECS.items()]
    minutes = sum(record["training_seconds"].values()) / 60
    made = (
        f"Made by `snakemake --config scale={PRETRAINED}` at commit {record['commit'][:7]}, on "
        f"{name_machine(record['hardware'])}; {minutes:.0f} minutes of training, of all jobs together."
    )
    return "\n\n".join([*tables, made])


def make_pretrained_headline(cfg: Config) -> str | None:
    """README's rows on the pretrained model, one a task: greedy replies, then sampled ones."""
    found = kept.read_kept(cfg)
    if found is None:
        return None
    rates, gains = (found[0][name] for name in kept.SPECS)
    gains = gains[gains["policy"] == GRID_POLICY].set_index(["over", "task"])
    cells = rates.set_index(["policy", "task"])
    policies = [policy for policy in ("base", *TRAINED) if policy in cells.index]
    over = [policy for policy in policies if policy in gains.index]

    def print_both(rows: pd.DataFrame, place: tuple[str, str], show: Callable) -> str:
        if place not in rows.index:
            return "–"
        return " / ".join(show(rows.loc[place], key) for key in kept.DECODINGS)

    body = [
        [
            task_title(task),
            *(print_both(cells, (policy, task), print_rate) for policy in policies),
            *(print_both(gains, (policy, task), print_gain) for policy in over),
        ]
        for task in rates["task"].unique()
    ]
    header = ["Greedy / sampled", *map(label_policy, policies)]
    return format_rows([*header, *(f"GRPO over {label_policy(policy)}" for policy in over)], body)


def print_rate(row: pd.Series, key: str) -> str:
    """A success rate alone."""
    return f"{row[key]:.2f}"


def print_gain(row: pd.Series, key: str) -> str:
    """A gain with its interval."""
    ends = ", ".join(f"{row[f'{key}_{end}']:+.2f}" for end in ("low", "high"))
    return f"{row[key]:+.2f} [{ends}]"


def _read_bench(name: str) -> Mapping | None:
    file = BENCH / name
    return decode(file.read_text()) if file.exists() else None


def make_speeds() -> str | None:
    numbers = _read_bench("summary.json")
    if numbers is None:
        return None
    body = [[f"`{key}`", f"{value:,.6g}"] for key, value in numbers.items()]
    return f"{format_rows(['Measure', 'Value'], body)}\n\nMade by `make bench`."


def make_cores() -> str | None:
    """How long the reproduction takes, and how busy it keeps the cores."""
    found = _read_bench("cores.json")
    if found is None:
        return None
    rows = {
        "`make reproduce`, minutes": f"{found['seconds'] / 60:.1f}",
        "of which before the first job": f"{found['seconds_before_the_first_job'] / 60:.1f}",
        "share of the cores' time in use while jobs run": f"{found['busy_share_of_jobs']:.2f}",
    }
    hardware = found["hardware"]
    return (
        f"{format_rows(['In a fresh clone', 'Found'], [*map(list, rows.items())])}\n\n"
        f"On {name_machine(hardware)}, {found['cores']} cores, with nothing else going on; LaTeX was "
        "there before. Made by `benchmarks/cores.py`.\n\n"
        "![The cores in use over the run, and every job as a bar](cores.png)"
    )


def make_compare() -> str | None:
    """Speeds against those of an earlier commit."""
    found = _read_bench("compare.json")
    if found is None:
        return None
    body = [[label, f"{ratio:.2f}"] for label, ratio in found["ratios"].items()]
    machine, commit = name_machine(found["hardware"]), found["commit"]
    return (
        f"{format_rows([f'Speed, as a multiple of that at {commit}', 'Ratio'], body)}\n\n"
        f"On one core of {machine}, both trees in turns in one run. Made by `make bench AGAINST={commit}`."
    )


def make_engines() -> str | None:
    """Engines that write replies, against this project's."""
    found = _read_bench("engines.json")
    if found is None:
        return None
    header = [
        "Engine",
        "Greedy",
        "Sampled",
        "Equal replies",
        "Start, s",
        "MiB of memory",
        "MiB to install",
    ]
    keys = ["ratio", "sampled_ratio", "equal", "start_s", "memory_mib", "size_mib"]
    forms = ["{:.2f}", "{:.2f}", "{:.4f}", "{:.1f}", "{:.0f}", "{:.0f}"]
    order = sorted(found.items(), key=lambda item: -item[1]["ratio"])
    body = [
        [f"`{name}`", *(form.format(row[key]) for key, form in zip(keys, forms, strict=True))]
        for name, row in order
    ]
    return (
        f"{format_rows(header, body)}\n\n"
        "Replies a second as a multiple of this project's (`today`), each engine's rounds between rounds of ours on "
        "one core; equal: the share of greedy replies that are those of transformers in fp32. Made by "
        "`benchmarks/engines.py`."
    )


def make_endurance() -> str | None:
    """What became of a run that was killed again and again."""
    found = _read_bench("endurance.json")
    if found is None:
        return None
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
    table = format_rows([f"Smoke scale, {found['cores']} cores", "Found"], body)
    return f"{table}\n\nMade by `benchmarks/endurance.py`."


def _print_found(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def make_mutations() -> str | None:
    """Which test notices which break of the science."""
    found = _read_bench("mutations.json")
    if found is None:
        return None
    body = [[name, f"`tests/{test}`" if test else "**nothing**"] for name, test in found.items()]
    return f"{format_rows(['Broken', 'Noticed by'], body)}\n\nMade by `benchmarks/mutations.py`."


def make_graph() -> str:
    """The rules in mermaid, without the arrows that others imply."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", done.stdout, re.MULTILINE))
    arrows = re.findall(r"^\s*(id\d+) --> (id\d+)", done.stdout, re.MULTILINE)
    # Worlds of one split are drawn after those of another, by the same rule: no arrow of a graph of rules.
    edges = {(names[start], names[end]) for start, end in arrows if names[start] != names[end]}
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


def replace_part(file: str, text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    changed, count = re.subn(
        pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL
    )
    if count != 1:
        sys.exit(f"{file}: lacks the markers of the part '{name}'; restore them.")
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="only say whether the graph is current"
    )
    if parser.parse_args().check:
        file = "docs/workflow.md"
        text = (ROOT / file).read_text()
        if replace_part(file, text, "graph", make_graph()) != text:
            sys.exit(f"{file}: the graph of rules is out of date; run `make readme`.")
        return
    for file, parts in list_parts().items():
        text = (ROOT / file).read_text()
        for name, make in parts.items():
            content = make()
            if content is None:
                print(f"{file}: '{name}' stays as it is, its source has not been made by this run.")
            else:
                text = replace_part(file, text, name, content)
        (ROOT / file).write_text(text)


if __name__ == "__main__":
    main()
