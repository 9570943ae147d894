"""What a run of the whole workflow would cost on a kind of GPU: `taskreason estimate`.

The jobs, and what waits for what, are those of a dry run of the workflow; hours and memory come from `model`, and wall
time is that of starting jobs as Snakemake does. It is arithmetic: steps were measured on one H200, no run as a whole
was, so take the hours for an order of magnitude.
"""

import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from heapq import heappop, heappush, nlargest
from importlib.util import find_spec
from io import StringIO
from itertools import product
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.cost.model import GPUS, SHAPES, TRAININGS, Gpu, Job
from taskreason.durability.errors import UserError
from taskreason.policies.model_names import from_file_name, is_api, shorten
from taskreason.report.labels import name_compared

SNAKEFILE = Path(__file__).resolve().parents[3] / "Snakefile"
TIGHT = 0.9  # share of a card above which a stage is tight: the model of memory is no more exact
LORA_RANK = 16  # proposed where all weights are too many; a common choice, not one tried here
KINDS = {"fetch_model": "copy", "prepare_base": "copy", "probe_base": "probe"}


def read_jobs(config: dict, gpu: Gpu) -> dict[int, Job]:
    """Every job of the workflow, the most urgent first, by a dry run in an empty folder, where nothing is made yet.

    config: as of `--config`; config.yaml applies as well. Raises UserError where there is no workflow, or none to cost.
    """
    if not SNAKEFILE.exists() or not find_spec("snakemake"):
        raise UserError(
            f"estimates read the workflow ({SNAKEFILE}) with Snakemake; "
            "install the library from a checkout of the project (envs/bootstrap.sh run)."
        )
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

    said, options = StringIO(), {"snakefile": SNAKEFILE, "config_settings": ConfigSettings(config)}
    with (
        TemporaryDirectory() as folder,
        redirect_stdout(said),
        redirect_stderr(said),
        SnakemakeApi(OutputSettings(dryrun=True)) as api,
    ):
        workflow = api.workflow(ResourceSettings(cores=1), workdir=Path(folder), **options)
        try:
            workflow.dag().execute_workflow("dryrun")
        except SystemExit as error:  # the workflow refuses a configuration, in one sentence
            raise UserError(str(error)) from None
        dag, cfg = workflow._workflow.dag, load_config(workflow._workflow.globals["config"])
        if not cfg.resources.gpu:
            raise UserError(
                f"scale {cfg.scale} runs without a GPU and estimates are for GPU scales; "
                "see the measured times in docs/performance.md."
            )
        urgent = sorted(dag.jobs, key=lambda job: (-job.priority, dag.jobid(job)))
        return {dag.jobid(job): read_job(job, dag, cfg, gpu) for job in urgent}


def read_job(job, dag, cfg: Config, gpu: Gpu) -> Job:
    """What Snakemake's job does, by its script."""
    script, gpus = job.params.get("script", ""), job.resources.get("gpu", 0)
    stage, kind, tasks, name = job.rule.name, KINDS.get(script, "light"), cfg.tasks, cfg.base.model
    if script == "fetch_model":
        name = from_file_name(job.wildcards.name)
    elif not gpus and kind != "copy":
        stage, kind = "without a GPU", "light"
    elif script == "train":
        kind, tasks = job.params.stage, (job.params.task,)
    elif script == "collect":
        kind, tasks, name = "collect", (job.params.task,), cfg.expert.model
    elif script == "evaluate":
        # results/SCALE/episodes/POLICY/TRAIN_TASK/EVAL_TASK.jsonl; a task counts once more for sampled replies
        kinds = {"episodes", "episodes_sampled"}
        files = [Path(file) for file in job.output if kinds & set(Path(file).parts)]
        policy, tasks = files[0].parts[-3], tuple(file.stem for file in files)
        name = {name_compared(other): other for other in cfg.base.compare}.get(policy, name)
        stage, kind = f"evaluate_{policy}", "evaluate"
    elif script == "play_splits":
        worlds = cfg.worlds.splits * len(cfg.env.splits)
        cfg, kind = change(cfg, "worlds", {"evaluation": worlds}), "evaluate"
        tasks = (job.params.task,)
    if shorten(name) not in SHAPES:
        known = ", ".join(SHAPES)
        raise UserError(f"model {name}: its size is unknown here; configure one of {known}.")
    for part, changes in job.params.get("changes", {}).items():
        cfg = change(cfg, part, changes)
    needs = frozenset(map(dag.jobid, dag.dependencies[job]))
    return Job(cfg, gpu, SHAPES[shorten(name)], kind, tasks, stage, gpus, needs)


def change(cfg: Config, part: str, changes: dict) -> Config:
    """The configuration with other settings in one part."""
    return replace(cfg, **{part: replace(getattr(cfg, part), **changes)})


def schedule_jobs(jobs: dict[int, Job], gpus: int) -> dict[int, float]:
    """End of each job, seconds, by number in the order of their starts: each as soon as it is ready and has GPUs."""
    waiting, running, ends, now = list(jobs), [], {}, 0.0
    while waiting:
        for number in list(waiting):
            job = jobs[number]
            if job.gpus <= gpus and all(ends.get(need, now + 1) <= now for need in job.needs):
                waiting.remove(number)
                ends[number] = now + job.seconds
                gpus -= job.gpus
                heappush(running, (ends[number], job.gpus))
        now, freed = heappop(running)
        gpus += freed
    return ends


def list_options(job: Job) -> dict[str, list]:
    """Settings with which a job may need less memory, and for each its values, that of the least cost first."""
    train, rollout, part = job.cfg.train, job.cfg.rollout, "grpo" if job.kind == "grpo" else "sft"
    if job.kind in TRAININGS:
        replies, micro, _ = job.passes
        options = {
            "train.lora_rank": [train.lora_rank, LORA_RANK],
            "train.gradient_checkpointing": [train.gradient_checkpointing, True],
            f"{part}.micro_batch": [size for size in range(micro, 0, -1) if replies % size == 0],
        }
        if job.kind == "grpo" and job.cfg.grpo.vllm == "colocate":
            share = ceil(20 * job.engine_bytes() / job.gpu.memory) / 20
            options["grpo.vllm_memory"] = [max(share, job.cfg.grpo.vllm_memory)]
        return options
    if job.kind == "probe" or rollout.engine != "vllm":
        return {"rollout.batch_size": [*range(rollout.batch_size, 0, -1)]}
    return {f"{'expert' if job.kind == 'collect' else 'rollout'}.tensor_parallel": [2, 4, 8]}


def find_fix(job: Job) -> str:
    """The smallest change of the configuration after which a job fits its card."""
    options = list_options(job)
    for values in product(*options.values()):
        cfg, words = job.cfg, []
        for key, value in zip(options, values, strict=True):
            part, name = key.split(".")
            if getattr(getattr(cfg, part), name) != value:
                words.append(f"{key} to {json.dumps(value)}")
                cfg = change(cfg, part, {name: value})
        needed, free = replace(job, cfg=cfg).memory
        if needed <= free:
            return f"set {' and '.join(words)}"
    return "take a larger card"


def summarise_stage(jobs: list[Job]) -> dict:
    """A row of the estimate. fits: "" without a GPU; fix: what to change where it does not."""
    hours, largest = sum(job.seconds for job in jobs) / 3600, max(jobs, key=lambda job: job.memory)
    needed, free = largest.memory
    fits = "NO" if needed > free else "tight" if needed > TIGHT * largest.gpu.memory else "yes"
    left = sum(2 * job.shape.parameters for job in jobs if job.kind in (*TRAININGS, "copy"))
    return {
        "stage": largest.stage,
        "jobs": len(jobs),
        "gpus_per_job": largest.gpus,
        "hours_per_job": hours / len(jobs),
        "gpu_hours": hours * largest.gpus,
        "memory_gb": needed / 1e9,
        "fits": fits if needed else "",
        "disk_gb": left / 1e9,
        "fix": find_fix(largest) if fits == "NO" else "",
    }


def estimate(config: dict, gpu: str, gpus: int | None = None) -> dict:
    """The cost of a whole run on ``gpus`` cards of a kind (a key of ``GPUS``), None: as the largest job asks for.

    config: as of `--config`. "stages" of the result is a table, "disk_gb" at the fullest, "notes" what is left out.
    """
    numbered = read_jobs(config, GPUS[gpu])
    jobs = list(numbered.values())
    largest = max(jobs, key=lambda job: job.gpus)
    if gpus and gpus < largest.gpus:
        needed = f"{largest.stage} asks for {largest.gpus} GPUs at once"
        raise UserError(f"--gpus: {needed}, more than {gpus}; give {largest.gpus} or more.")
    gpus, cfg = gpus or largest.gpus, largest.cfg
    ends = schedule_jobs(numbered, gpus)
    names = dict.fromkeys(numbered[number].stage for number in ends)
    groups = ([job for job in jobs if job.stage == name] for name in names)
    stages = pd.DataFrame(map(summarise_stage, groups))
    # A checkpoint has the weights and two moments in fp32; two are there while one replaces the other.
    trained = [job.shape.parameters for job in jobs if job.kind in TRAININGS]
    checkpoints = 0 if cfg.train.lora_rank else sum(nlargest(gpus, trained)) * 2 * 12
    endpoints = any(map(is_api, [cfg.expert.model, *cfg.base.compare]))
    unknown = sorted({job.stage for job in jobs if job.gpus and job.kind == "light"})
    notes = {
        "What is asked of endpoints (api:NAME) is counted without cost.": endpoints,
        f"Not modelled, and counted as a minute a job: {', '.join(unknown)}.": unknown,
        "Trainings are counted as on one GPU each, without train.accelerate.": cfg.train.accelerate,
        "The GPUs of the server at grpo.vllm_server come on top.": cfg.grpo.vllm == "server",
    }
    return {
        "scale": cfg.scale,
        "gpu": GPUS[gpu].name,
        "gpus": gpus,
        "lora_rank": cfg.train.lora_rank,
        "stages": stages,
        "gpu_hours": stages.gpu_hours.sum(),
        "wall_hours": max(ends.values()) / 3600,
        "disk_gb": stages.disk_gb.sum() + checkpoints / 1e9,
        "notes": [note for note, holds in notes.items() if holds],
    }


def format_estimate(result: dict, style: str) -> str:
    """An estimate as "text", "markdown" or "json"."""
    stages = result["stages"]
    if style == "json":
        return json.dumps(result | {"stages": stages.to_dict("records")}, indent=2)
    digits = {"hours_per_job": 2, "gpu_hours": 1, "memory_gb": 1, "disk_gb": 1}
    cells = stages.drop(columns="fix").round(digits)
    table = cells.to_string(index=False)
    if style == "markdown":
        lines = [cells.columns, ["---"] * len(cells.columns), *cells.astype(str).to_numpy()]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    head = "Scale {scale} on {gpu}, train.lora_rank {lora_rank}: an estimate, not a measurement."
    total = "{gpu_hours:.1f} GPU-hours; wall time {wall_hours:.1f} hours, with GPUs: {gpus}; "
    total += "disk at its fullest, checkpoints included: {disk_gb:.0f} GB."
    misfits = stages[stages.fix != ""]
    fixes = misfits.stage + " does not fit, its hours are as if it did: " + misfits.fix + "."
    below = "\n".join([total.format_map(result), *fixes, *result["notes"]])
    return "\n\n".join([head.format_map(result), table, below])
