# What rules ask for when they know their wildcards: settings, inputs, files of a kind.
from taskreason.environments.base import Environment
from taskreason.report.captions import FIGURE_TITLES, FOLDER as CAPTIONS, name_caption, title_table
from taskreason.report.inputs import NEEDS, list_inputs, list_tables, name_episodes

# Kinds of evaluation worlds that the environment has besides those of training.
FURTHER = list(cfg.env.splits) if cfg.worlds.splits else []
# In the order in which they are drawn, each with the key of how many there are.
SPLITS = {"train": "training", "validation": "validation", "eval": "evaluation"}
SPLITS |= dict.fromkeys(FURTHER, "splits")


def one_of(names):
    """A wildcard's values as a pattern."""
    return "|".join(map(re.escape, names)) or "none"


def model_files(folder):
    """Each file is an output of its own, so that a missing one is noticed."""
    names = ["config.json", "generation_config.json", "model.safetensors"]
    names += ["tokenizer.json", "tokenizer_config.json"]
    return [f"{folder}/{name}" for name in names]


def model_source(name):
    """What a job that reads a model waits for: a folder's files, a note that fetched ones are here, or nothing."""
    if is_fetched(name):
        return [f"{OUT}/models/fetched/{to_file_name(name)}.json"]
    return [] if is_api(name) else list_model_files(name)


def world_file(task, split):
    return f"{OUT}/worlds/{task}/{split}.jsonl"


def worlds_before(wildcards):
    """The splits that one is drawn after, so that it holds none of their worlds."""
    names = list(SPLITS)
    return [world_file(wildcards.task, name) for name in names[: names.index(wildcards.split)]]


def world_settings(wildcards):
    """What the worlds of a split depend on; of a task that a person has written, its file as well."""
    seed = "splits_seed" if wildcards.split in FURTHER else f"{wildcards.split}_seed"
    keys = ["mode", SPLITS[wildcards.split], seed]
    file = cfg.env.fingerprint(cfg.task(wildcards.task))
    return {key: config["worlds"][key] for key in keys} | {"file": file}


def seed_of(wildcards):
    """The seed of a training, from the end of its folder's name."""
    return int(wildcards.run.removeprefix(".seed")) if wildcards.run else cfg.seed


def on_gpus(number):
    """What a heavy job asks for: GPUs, and on each attempt more memory (MiB) and time (minutes)."""
    return {
        "gpu": number,
        "mem_mb": lambda wildcards, attempt: cfg.resources.mem_mb * attempt,
        "runtime": lambda wildcards, attempt: cfg.resources.runtime * attempt,
    }


def sft_of(wildcards):
    """SFT's settings for a task; tasks may have some of their own."""
    return asdict(cfg.for_task(wildcards.task).sft)


def grpo_of(wildcards):
    """GRPO's settings for a task."""
    return asdict(cfg.for_task(wildcards.task).grpo)


def training_worlds(wildcards):
    """The worlds that GRPO plays in while it trains, where it trains on whole episodes."""
    multi = cfg.for_task(wildcards.task).grpo.turns == "multi"
    return world_file(wildcards.task, "train") if multi else []


def needs_of(model):
    """What has to be there before rollouts of a model of base.compare begin."""
    return ["base.compare"] if is_api(model) else ["engine", "base.compare"]


def evaluation_of(tasks):
    """What an evaluation on these tasks depends on besides the policy, and the temperatures that it has."""
    timeouts = {task: cfg.timeout_of(task) for task in tasks}
    own = ["temperature", "sharpened"]
    rollout = {key: value for key, value in config["rollout"].items() if key not in own}
    return {"prompt": config["prompt"], "rollout": rollout, "timeouts": timeouts}


def episode_files(policy, train_task, eval_tasks, temperature=GREEDY):
    names = (name_episodes(policy, train_task, task, temperature) for task in eval_tasks)
    return [f"{OUT}/{name}" for name in names]


def cell_files(policy, train_task, eval_tasks):
    """What an evaluation of one policy on some tasks writes."""
    folder = f"{OUT}/single_turn/{policy}/{train_task}"
    return {
        "episodes": episode_files(policy, train_task, eval_tasks),
        "single_turn": [f"{folder}/{task}.json" for task in eval_tasks],
    }


def sampled_files(policy, train_task, eval_tasks, temperatures):
    """What an evaluation writes besides, where replies are sampled: the files of one temperature, then of the next."""
    parts = (episode_files(policy, train_task, eval_tasks, t) for t in temperatures)
    return {"sampled": [file for part in parts for file in part]}


def code_of(script, *patterns):
    """A thin script and the modules of the library that an output depends on, so that an edit makes it again."""
    found = {path for pattern in patterns for path in (WORKFLOW_DIR / "taskreason").glob(pattern)}
    files = [path for path in found if path.is_file() and path.suffix != ".pyc"]
    return sorted(map(from_project, [WORKFLOW_DIR / "scripts" / f"{script}.py", *files]))


def last_modified(files):
    """Newest modification time, ns: as a parameter it makes a touched file count as changed."""
    return max(os.stat(file).st_mtime_ns for file in files)


def show(kind, names, part):
    """The files of tables or figures, marked for `snakemake --report`."""
    ends = {"tables": ["csv", "tex"], "figures": ["pdf", "png"]}[kind]
    return [mark(f"results/{kind}/{name}.{end}", part) for name in names for end in ends]


def mark(file, part):
    """A table (CSV) or figure (PNG) with title and caption for `snakemake --report`; any other file as it is.

    Where a wildcard names it, the rule's parameters tell the caption's file.
    """
    if not file.endswith((".csv", ".png")):
        return file
    kind, name = Path(file).parts[1], Path(file).stem
    title = title_table if kind == "tables" else FIGURE_TITLES.get
    wild = "{" in name
    return report(
        file,
        caption=f"../taskreason/report/captions/{'item.rst' if wild else name_caption(kind, name)}",
        category=kind.capitalize(),
        subcategory=part,
        labels=(
            (lambda wildcards: {"Title": title(wildcards[0])}) if wild else {"Title": title(name)}
        ),
    )


def caption_of(kind):
    """The file that tells what a table or figure shows, for rules in which a wildcard names it."""
    return lambda wildcards: from_project(CAPTIONS / name_caption(kind, wildcards[0]))


def mark_page(file, name, title):
    """A page or the paper, with its caption for `snakemake --report`."""
    caption = f"../taskreason/report/captions/{name}.rst"
    return report(file, caption=caption, category="Overview", labels={"Title": title})


def figure_code(wildcards):
    """The modules that draw one figure; an environment draws its worlds itself."""
    own = [f"environments/{cfg.environment}/*.py"] if wildcards.figure == "kitchen" else []
    return code_of("make_figure", *FIGURE_CODE, *own)


def start_of(wildcards):
    """What GRPO goes on from: the reproduction's SFT policy and its trajectories, or those of another expert."""
    name = STUDIES[wildcards.name].start
    folder = f"{ABLATION}/sft/{name}"
    if name == PLAIN:
        return {
            "model": model_files(f"{OUT}/models/{ABLATED}/sft"),
            "trajectories": f"{OUT}/trajectories/{ABLATED}.jsonl",
        }
    return {
        "model": model_files(f"{folder}/model"),
        "trajectories": f"{folder}/trajectories.jsonl",
    }


def rehearsal_file(seed):
    """What trainings with a seed rehearse. Where more is drawn, it begins as before, so none of them is out of date."""
    return ancient(f"{OUT}/rehearsal/{seed}.jsonl") if MOST_REHEARSED else []


def regime_of(wildcards):
    """The point or the start that a job is about."""
    return (REGIME_STARTS | REGIME_POINTS)[wildcards.name]


def regime_changes(wildcards):
    """What differs from the configuration there."""
    return regime_of(wildcards).changes


def regime_seed(wildcards):
    return regime_of(wildcards).seed


def regime_start(wildcards):
    """What a point goes on from: an SFT policy or the base model, and the expert's trajectories."""
    start = REGIME_POINTS[wildcards.name].start
    return {
        "model": (
            model_files(f"{REGIMES}/sft/{start.name}/model")
            if start.epochs
            else rules.prepare_base.output.model
        ),
        "trajectories": f"{REGIMES}/experts/{start.expert}.jsonl",
    }


def state_changes(wildcards):
    """What a training changes in the configuration."""
    return STATE_TRAININGS[wildcards.name].changes


def state_seed(wildcards):
    return STATE_TRAININGS[wildcards.name].seed if wildcards.name != START else cfg.seed


def states_of(wildcards):
    """The decisions that a training is on."""
    return STATE_FILES[ARMS[STATE_TRAININGS[wildcards.name].arm].states]


def trainings_of(stage):
    """The names of the trainings of a stage."""
    return [name for name, made in STATE_TRAININGS.items() if ARMS[made.arm].stage == stage]
