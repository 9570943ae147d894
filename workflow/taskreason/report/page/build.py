"""results/index.html: the whole run on one page that opens from a file, without a network.

Input: the tables (CSV) and figures (PNG) of the run, its configuration, the provenance of its trainings and Snakemake's
benchmarks of its jobs; output: HTML with the figures inside it, so that it can be passed on alone, and relative links
to the PDF, the gallery and the tables. A section whose tables and figures this run does not make is left out.
"""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from taskreason.config.models import Config
from taskreason.durability.provenance import name_machine
from taskreason.report.captions import FIGURE_TITLES, TABLE_TITLES, read_caption
from taskreason.report.labels import GRID_POLICY, is_base, label_policy
from taskreason.report.numbers.settings import flatten_settings
from taskreason.report.numbers.verdicts import judge_tables, read_rate
from taskreason.report.render.latex import MISSING
from taskreason.report.render.tables import render_html
from taskreason.report.render.templates import render
from taskreason.report.tables import spec
from taskreason.report.tables.main import SEED, TASK
from taskreason.report.tables.registry import find_specs
from taskreason.report.trainings import read_json

SOURCES = Path(__file__).with_name("templates")
TITLES = {"tables": TABLE_TITLES, "figures": FIGURE_TITLES}


def _begin(kind: str, study: str) -> list[str]:
    return [name for name in TITLES[kind] if name.startswith(study)]


SECTIONS = {
    "results": ("Results", ["main", "comparison"], ["success_rate", "steps_vs_optimal"]),
    "gains": ("What GRPO adds", ["gains", "sharpening", "baselines", "seeds", "starts"], []),
    "tasks": (
        "Across tasks",
        ["generalization", "comparison_grid", "splits", "published_tests"],
        _begin("figures", "gener"),
    ),
    "training": ("Training", ["collection", "probes"], _begin("figures", "learning")),
    "pretrained": (
        "A language model that others trained",
        ["pretrained", "pretrained_gains"],
        [],
    ),
    "theory": ("The theory, measured", _begin("tables", "theory"), _begin("figures", "theory")),
    "ablations": ("Ablations", _begin("tables", "abl"), _begin("figures", "abl")),
    "regimes": ("Where GRPO gains", ["regimes"], _begin("figures", "regimes")),
    "states": ("Whose states", ["states"], ["states"]),
    "episode": ("An episode", [], ["kitchen"]),
}
"""Title, tables and figures."""
SHOWN = ("expert", "base", "sft", "sft_longer", "sft_grpo")
"""The policies of the headline, as far as a run has them."""
HEADLINE = spec.Spec(
    [TASK],
    [
        *(spec.Column(policy, label_policy(policy)) for policy in SHOWN),
        spec.Column("gain", "Gain of GRPO over SFT", spec.SIGNED),
        spec.Column("gain_over_longer", "Gain over longer SFT", spec.SIGNED),
        spec.Column("published", f"{label_policy(GRID_POLICY)}, published"),
    ],
)
MINUTES = spec.columns(spec.STEPS, minutes="Minutes")
SPECS = {
    "trainings": spec.Spec(
        [TASK, spec.name("stage", "Stage", str.upper)],
        [SEED, *MINUTES, spec.name("commit", "Commit"), spec.name("machine", "Machine")],
    ),
    "costs": spec.Spec(
        [spec.name("stage", "Stage")],
        [
            *spec.columns(spec.COUNT, jobs="Jobs"),
            *MINUTES,
            *spec.columns(spec.STEPS, longest="Longest job", processor="Processor minutes"),
            *spec.columns(spec.COUNT, memory="Largest, MiB"),
        ],
    ),
    "versions": spec.Spec([spec.name("package", "Package")], [spec.name("version", "Version")]),
    "settings": spec.Spec([spec.name("key", "Key")], [spec.name("value", "Value")]),
}
"""What is told of the run itself."""


def write_page(
    page: Path,
    root: Path,
    files: Sequence[Path],
    cfg: Config,
    provenance: Sequence[Path],
    links: Mapping[str, Path],
) -> None:
    """Write the page; root: results/SCALE; files: tables and figures of the run; links: title -> file."""
    tables = {path.stem: path for path in files if path.suffix == ".csv"}
    figures = {path.stem: path for path in files if path.suffix == ".png"}
    first = [pd.read_csv(tables[name]) for name in ("comparison", "baselines", "gains")]
    records = {path: read_json(path) for path in provenance}
    own = {
        "trainings": list_trainings(records),
        "costs": list_costs(root),
        "versions": list_versions(records),
        "settings": list_settings(cfg),
    }
    text = render(
        "page/templates/index.html.j2",
        cfg=cfg,
        style=(SOURCES / "index.css").read_text(),
        script=(SOURCES / "index.js").read_text(),
        headline=render_html(HEADLINE, make_headline(*first), "headline"),
        findings=list_findings(*first),
        sections=list(list_sections(page, tables, figures, cfg)),
        links={title: locate(path, page) for title, path in links.items()},
        files={name: locate(path, page) for name, path in sorted(tables.items())},
        run={name: render_html(SPECS[name], rows, name) for name, rows in own.items() if len(rows)},
    )
    page.write_text(text, encoding="utf-8")


def locate(path: Path, page: Path) -> str:
    """A file as the page links to it."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def list_sections(
    page: Path, tables: Mapping[str, Path], figures: Mapping[str, Path], cfg: Config
) -> Iterator[dict]:
    """The sections that have anything to show, in the order of the page, as the template takes them."""

    def describe(kind: str, name: str, source: str, path: Path) -> dict[str, str]:
        caption = read_caption(kind, source, cfg.env.worlds)
        title = TITLES[kind][name]
        return {"name": name, "title": title, "caption": caption, "file": locate(path, page)}

    for anchor, (title, named, drawn) in SECTIONS.items():
        shown, pictures = [], []
        for name in named:
            # The one table that shows another part of a file than its first.
            source, part = ("comparison", 1) if name == "comparison_grid" else (name, 0)
            if source not in tables:
                continue
            rows = pd.read_csv(tables[source], dtype=str, keep_default_na=False)
            if len(rows):
                html = render_html(find_specs(source, cfg.env)[part], rows, name)
                shown.append(describe("tables", name, source, tables[source]) | {"html": html})
        for name in drawn:
            if name in figures:
                data = base64.b64encode(figures[name].read_bytes()).decode()
                picture = describe("figures", name, name, figures[name].with_suffix(".pdf"))
                pictures.append(picture | {"image": f"data:image/png;base64,{data}"})
        if shown or pictures:
            yield {"anchor": anchor, "title": title, "tables": shown, "figures": pictures}


def make_headline(
    comparison: pd.DataFrame, baselines: pd.DataFrame, gains: pd.DataFrame
) -> pd.DataFrame:
    """One row a task: SR of policies, GRPO's gain over SFT and over longer SFT, and the published SR after GRPO.

    From the tables of these names; README.md shows it as well.
    """
    rows = baselines.set_index(["policy", "task"])
    over = gains[gains["policy"] == GRID_POLICY].set_index(["over", "task"])
    main = comparison[comparison["part"] == "main"].set_index(["policy", "eval_task"])
    found = []
    for task in baselines["task"].unique():
        known = [policy for policy in SHOWN if (policy, task) in rows.index]
        rates = {policy: read_rate(rows.loc[(policy, task)]) for policy in known}
        for key, worse in (("gain", "sft"), ("gain_over_longer", "sft_longer")):
            if worse in known:
                rates[key] = read_rate(over.loc[(worse, task)], "gain")
        rates["published"] = read_rate(main.loc[(GRID_POLICY, task)], "published_sr")
        found.append({"task": task} | spec.spread(rates))
    return pd.DataFrame(found)


def list_findings(
    comparison: pd.DataFrame, baselines: pd.DataFrame, gains: pd.DataFrame
) -> list[str]:
    """Sentences on the paper's claims, each with what this run counts."""
    told = judge_tables(comparison, baselines, gains)
    untrained = [label_policy(row) for row in baselines["policy"].unique() if is_base(row)]
    sentences = [
        "On average over the tasks the success rate goes from {MeanSrBase} (base) through {MeanSrSft} (SFT) to "
        "{MeanSrSftGrpo} (SFT + GRPO).",
        "By the intervals of the gains, paired by world, SFT improves on the base model {VerdictSftHelps} and GRPO on "
        "SFT {VerdictGrpoHelps}; GRPO makes SFT worse {VerdictGrpoHarms}.",
        "SFT + GRPO is ahead of the best of what is evaluated untrained ({untrained}), the interval of the gain above "
        "zero, {VerdictOverUntrained}.",
    ]
    if (gains["over"] == "sft_longer").any():
        sentences.append(
            "Over SFT that goes on for as many replies as GRPO samples, SFT + GRPO gains {VerdictOverLongerHelps} and "
            "loses {VerdictOverLongerHarms}."
        )
    if gains["sampled_gain"].notna().any():
        sentences.append(
            "With sampled replies, SFT + GRPO gains on SFT {VerdictGrpoSampledHelps} and loses "
            "{VerdictGrpoSampledHarms}."
        )
    if comparison["published_sr"].notna().any():
        sentences.append(
            "SFT + GRPO reaches at least the published success rate {VerdictAtLeastPublished}."
        )
    if told["GridMeanUp"] != MISSING:
        for way in ("GridMeanDown", "GridMeanUp"):
            if told[f"Pub{way}"] != MISSING:
                told[way] += f" (published: {told[f'Pub{way}']})"
        sentences.append(
            "Trained on the more complex of two tasks and evaluated on the simpler, the mean success rate is "
            "{GridMeanDown}; the other way round it is {GridMeanUp}."
        )
    return [sentence.format(untrained="; ".join(untrained), **told) for sentence in sentences]


def list_trainings(records: Mapping[Path, Mapping]) -> pd.DataFrame:
    """Seed, wall time, code and machine of each training, by its file TASK/STAGE.provenance.json."""
    rows = [
        {
            "task": path.parent.name.partition(".")[0],
            "stage": path.name.removesuffix(".provenance.json"),
            "seed": record["seed"],
            "minutes": record["wall_seconds"] / 60,
            "commit": (record["commit"] or "")[:12],
            "machine": describe_machine(record["hardware"]),
        }
        for path, record in records.items()
    ]
    return pd.DataFrame(rows)


def describe_machine(hardware: Mapping) -> str:
    """'AMD EPYC (avx2), 2 cores, 8 GiB'."""
    parts = [f"{hardware['cores']} cores", f"{hardware['memory_gib']} GiB"]
    return ", ".join([name_machine(hardware), *parts, *hardware["gpus"]])


def list_versions(records: Mapping[Path, Mapping]) -> pd.DataFrame:
    """Versions of what can change a number; several where trainings were made with different ones."""
    found = pd.DataFrame([record["versions"] for record in records.values()])
    rows = [(package, ", ".join(found[package].dropna().unique())) for package in found]
    return pd.DataFrame(rows, columns=["package", "version"])


def list_costs(root: Path) -> pd.DataFrame:
    """Jobs, wall time, processor time and largest memory of each stage; no row without a benchmark.

    A job that was done elsewhere and copied in has no benchmark, and is not counted.
    """
    jobs = []
    for folder in (root / "benchmarks", root.parent / "benchmarks"):
        for path in sorted(folder.rglob("*.tsv")):
            # Jobs that end before the first measurement have no processor time and memory.
            job = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
            jobs.append(job.assign(stage=name_stage(path.relative_to(folder))))
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
    if parts[0] in ("ablation", "regimes", "states"):
        return f"{parts[0]} {parts[2]}"
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
