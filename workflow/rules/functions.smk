# What rules ask for when they know their wildcards: settings, resources, inputs; and the files that they share.
import re
from dataclasses import asdict

from taskreason.environments.robotouille.task_files import fingerprint
from taskreason.report.captions import FIGURE_TITLES, name_caption, title_table
from taskreason.environments.robotouille.tasks import find_task


def seed_of(wildcards):
    """The seed of a training, from the end of its folder's name."""
    return int(wildcards.run.removeprefix(".seed")) if wildcards.run else config["seeds"][0]


def sft_of(task):
    """Settings of SFT on a task; recipes may have others than the four tasks."""
    return asdict(cfg.sft_of(task))


def kitchen_settings(*keys):
    """Settings of a split of kitchens; those of a recipe are made again where its layout changes."""

    def settings(wildcards):
        own = {}
        if wildcards.task in cfg.recipes:
            own["layout"] = fingerprint(find_task(wildcards.task, cfg.recipes).template)
        return {key: config["kitchens"][key] for key in keys} | own

    return settings


def evaluation_of(tasks):
    """Settings of an evaluation: the timeouts are those of the four tasks and of the recipes that are evaluated."""
    own = {task: TIMEOUTS[task] for task in tasks if task in config["recipes"]}
    return {key: config[key] for key in ["prompt", "rollout"]} | {
        "timeouts": config["timeouts"] | own
    }


def heavy_memory(wildcards, attempt):
    """MiB of a heavy job: more on each attempt, for profiles that retry."""
    return config["resources"]["mem_mb"] * attempt


def heavy_runtime(wildcards, attempt):
    """Minutes of a heavy job: more on each attempt, as its memory."""
    return config["resources"]["runtime"] * attempt


def model_files(folder):
    """Each file is an output of its own, so that a missing one is noticed."""
    names = ["config.json", "generation_config.json", "model.safetensors"]
    names += ["tokenizer.json", "tokenizer_config.json"]
    return [f"{folder}/{name}" for name in names]


def episode_files(policy, train_task, eval_tasks):
    return [f"{OUT}/episodes/{policy}/{train_task}/{task}.jsonl" for task in eval_tasks]


def single_turn_files(policy, train_task, eval_tasks):
    return [f"{OUT}/single_turn/{policy}/{train_task}/{task}.json" for task in eval_tasks]


def library_files(*patterns):
    """Modules of the library, and the thin scripts, that an output depends on, so that an edit makes it again."""
    library = WORKFLOW_DIR / "taskreason"
    found = {path for pattern in patterns for path in library.glob(pattern)}
    found |= set((WORKFLOW_DIR / "scripts").glob("make_*.py"))
    return sorted(from_project(path) for path in found)


def figure_code(wildcards):
    """The modules that draw one figure."""
    own = {
        "learning_sft": ["report/training_logs.py"],
        "learning_grpo": ["report/training_logs.py"],
        "learning_validation": ["report/training_logs.py"],
        "kitchen": ["environments/robotouille/drawing.py", "report/episode_choice.py"],
    }
    shared = ["rollouts/metrics.py", "report/results.py", "report/labels.py", "report/published.py"]
    return library_files(
        *shared, "report/figures/results.py", "report/figures/style.py", *own.get(wildcards.figure, [])
    )


def show_in_report(files, part):
    """Mark the tables (CSV) and figures (PNG) among outputs for `snakemake --report`."""
    return [mark(file, part) if file.endswith((".csv", ".png")) else file for file in files]


def mark(file, part):
    """One table or figure with its title and caption."""
    kind, name = Path(file).parts[1], Path(file).stem
    return report(
        file,
        caption=f"../taskreason/report/captions_rst/{name_caption(kind, name)}",
        category=kind.capitalize(),
        subcategory=part,
        labels={"Title": title_table(name) if kind == "tables" else FIGURE_TITLES[name]},
    )


def last_modified(files):
    """Newest modification time, ns: as a parameter it makes a touched file count as changed."""
    return max(os.stat(file).st_mtime_ns for file in files)


def paper_sources():
    """What main.tex may read in its own folder: parts, style and bibliography."""
    kinds = (".tex", ".bib", ".bst", ".cls", ".sty")
    files = (PROJECT_DIR / "paper").rglob("*")
    return sorted(
        from_project(path) for path in files if path.suffix in kinds and path.name != "main.tex"
    )


def gallery_sources():
    """Template, style and program of the episode gallery."""
    files = (WORKFLOW_DIR / "taskreason/report/gallery/templates").iterdir()
    return sorted(from_project(path) for path in files)


def one_of(names):
    """A wildcard's values as a pattern."""
    return "|".join(map(re.escape, names)) or "none"


def start_of(wildcards):
    """The SFT policy from which an ablation's GRPO starts."""
    name = STUDIES[wildcards.name].start
    if name == PLAIN:
        return expand(rules.train_sft.output.model, task=ABLATED, run=RUNS[0])
    return expand(rules.ablate_sft.output.model, name=name)


def trajectories_of(wildcards):
    """The expert's decisions that an ablation's GRPO reads."""
    name = STUDIES[wildcards.name].start
    if name == PLAIN:
        return f"{OUT}/trajectories/{ABLATED}.jsonl"
    return expand(rules.ablate_collect.output.trajectories, name=name)[0]


def theory_model(wildcards):
    """The model that a measurement of the theory is about."""
    trained = rules.train_sft if wildcards.policy == "sft" else rules.train_grpo
    return expand(trained.output.model, task=wildcards.task, run=RUNS[0])


def list_extra(kind):
    """Episodes or single turns of every policy on the extra tasks."""
    untrained = ["expert", *(name for name in EXTRA_BASELINES if name != "sft_longer")]
    trained = [rules.evaluate_sft]
    if "sft_longer" in EXTRA_BASELINES:
        trained.append(rules.evaluate_sft_longer)
    return [
        *expand(getattr(rules.evaluate_extra_rules.output, kind), policy=untrained),
        *getattr(rules.evaluate_extra_base.output, kind),
        *expand(
            [path for rule in trained for path in getattr(rule.output, kind)],
            task=EXTRA,
            run=RUNS,
        ),
        *expand(getattr(rules.evaluate_extra_grpo.output, kind), task=EXTRA, run=RUNS),
    ]


def provenance_of_card(card):
    """The record of the training whose model a card is about."""
    *_, task, stage, _ = Path(card).parts
    return f"{OUT}/training/{task}/{stage}.provenance.json"
