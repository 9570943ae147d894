"""What a run of the whole workflow would cost on a kind of GPU: `taskreason estimate`.

A row is a stage of the workflow with its jobs, GPU-hours, memory and disk; wall time is that of a schedule of all jobs
on so many GPUs. The FLOPs and bytes behind it are in `model`, lengths of texts in `lengths`, each stage's
work in `workload`, and the jobs in `jobs`. It is arithmetic: single steps were measured on one H200,
no run as a whole was, so take the hours for an order of magnitude.
"""

import json
from dataclasses import asdict, dataclass

from taskreason.config.load import SCALES_DIR, WORKFLOW_DIR, load_config
from taskreason.config.models import Config
from taskreason.cost.fit import explain_probe, explain_rollout, explain_training
from taskreason.cost.jobs import Job, find_peak_disk, list_jobs, load_workload, schedule_jobs
from taskreason.cost.lengths import measure_lengths
from taskreason.cost.model import GPUS, find_architecture
from taskreason.cost.workload import Workload
from taskreason.durability.errors import UserError
from taskreason.policies.model_names import is_api

PROJECT = WORKFLOW_DIR.parent
YES, TIGHT, NO = "yes", "tight", "NO"
"""Whether a stage fits its card."""
TIGHT_SHARE = 0.9
"""Share of a card's memory above which it is said to be tight: the model of memory is no more exact than that."""
HEADINGS = (
    "stage",
    "jobs",
    "GPUs a job",
    "hours a job",
    "GPU-hours",
    "GB a GPU",
    "fits",
    "disk, GB",
)


@dataclass(frozen=True)
class Stage:
    """One rule's jobs together. hours_per_job: their mean. memory_gb: of the largest, a GPU. fits: "" without one."""

    stage: str
    jobs: int
    gpus_per_job: int
    hours_per_job: float
    gpu_hours: float
    memory_gb: float
    fits: str
    disk_gb: float


@dataclass(frozen=True)
class Estimate:
    """The cost of a run; disk_gb: at the fullest moment, checkpoints included. notes: sentences for the reader."""

    scale: str
    gpu: str
    gpus: int
    lora_rank: int
    stages: tuple[Stage, ...]
    jobs: int
    gpu_hours: float
    wall_hours: float
    disk_gb: float
    fits: bool
    notes: tuple[str, ...]


def estimate(
    scale: str, gpu: str, gpus: int | None = None, lora_rank: int | None = None
) -> Estimate:
    """The cost of a scale's whole workflow on ``gpus`` cards of a kind (a key of ``GPUS``).

    gpus: None takes one, or as many as the largest job asks for. lora_rank: instead of the scale's; None also takes
    adapters on a card that is too small for more. Raises UserError for scales without GPUs and models of unknown size.
    """
    scales = sorted(path.stem for path in SCALES_DIR.glob("*.yaml"))
    if scale not in scales:
        raise UserError(f"--scale: {scale} is unknown; choose from {', '.join(scales)}.")
    cfg = load_config({"scale": scale})
    if not cfg.resources.gpu:
        raise UserError(
            f"scale {scale} runs without a GPU and estimates are for GPU scales; "
            "see the measured times under 'Scales, hardware and time' in README.md."
        )
    notes = []
    if lora_rank is None and GPUS[gpu].lora_rank and not cfg.train.lora_rank:
        lora_rank = GPUS[gpu].lora_rank
        notes.append(
            f"Trainings are of LoRA adapters of rank {lora_rank} here, since the card is too small for all weights; "
            f"set train.lora_rank to {lora_rank} to run them so."
        )
    if lora_rank is not None:
        cfg = load_config({"scale": scale, "train": {"lora_rank": lora_rank}})
    return summarise(cfg, gpu, gpus, notes)


def summarise(cfg: Config, gpu: str, gpus: int | None, notes: list[str]) -> Estimate:
    """The cost of a configuration; ``notes`` come before those that are found here."""
    work = load_workload(cfg, gpu, PROJECT)
    jobs = list_jobs(work, PROJECT)
    largest = max(jobs, key=lambda job: job.gpus)
    if gpus and gpus < largest.gpus:
        raise UserError(
            f"--gpus: {largest.rule} asks for {largest.gpus} GPUs at once, more than {gpus}; "
            f"give {largest.gpus} or more."
        )
    if not gpus and largest.gpus > 1:
        notes = [*notes, f"The number of GPUs is what {largest.rule} asks for at once."]
    gpus = gpus or largest.gpus
    times = schedule_jobs(jobs, gpus)
    misfits = explain_misfits(work)
    stages = tuple(
        _gather(rule, [job for job in jobs if job.rule == rule], rule in misfits, work)
        for rule in dict.fromkeys(job.rule for job in jobs)
    )
    return Estimate(
        scale=cfg.scale,
        gpu=work.gpu.name,
        gpus=gpus,
        lora_rank=cfg.train.lora_rank,
        stages=stages,
        jobs=len(jobs),
        gpu_hours=sum(stage.gpu_hours for stage in stages),
        wall_hours=max(end for _, end in times.values()) / 3600,
        disk_gb=find_peak_disk(jobs, times) / 1e9,
        fits=not misfits,
        notes=(*notes, *misfits.values(), *_list_remarks(work)),
    )


def explain_misfits(work: Workload) -> dict[str, str]:
    """Rule -> why it does not fit the card and what to change, for the rules that don't."""
    cfg, expert = work.cfg, work.cfg.expert
    longer = "sft_longer" in cfg.report.baselines
    found: dict[str, str | None] = {}
    if expert.policy == "model" and not is_api(expert.model):
        model = find_architecture("expert.model", expert.model, PROJECT)
        key = "expert.tensor_parallel"
        found["collect"] = explain_rollout(work, "collect", key, expert.model, model)
    for stage in ["sft", "grpo"] + ["sft_longer"] * longer:
        found[f"train_{stage}"] = explain_training(work, stage, cfg.tasks)
    key = "rollout.tensor_parallel"
    for stage in ["base", "sft", "grpo"] + ["sft_longer"] * longer:
        rule = f"evaluate_{stage}"
        found[rule] = explain_rollout(work, rule, key, cfg.base.model, work.base)
    for name in cfg.base.compare:
        if not is_api(name):
            model = find_architecture("base.compare", name, PROJECT)
            rule = "evaluate_compared"
            found[rule] = explain_rollout(work, rule, key, name, model) or found.get(rule)
    found["probe_base"] = explain_probe(work)
    return {rule: sentence for rule, sentence in found.items() if sentence}


def _gather(rule: str, jobs: list[Job], misfit: bool, work: Workload) -> Stage:
    hours = sum(job.seconds for job in jobs) / 3600
    gpus, memory = max(job.gpus for job in jobs), max(job.memory for job in jobs)
    fits = TIGHT if memory > TIGHT_SHARE * work.gpu.memory else YES
    return Stage(
        stage=rule,
        jobs=len(jobs),
        gpus_per_job=gpus,
        hours_per_job=hours / len(jobs),
        gpu_hours=sum(job.gpus * job.seconds for job in jobs) / 3600,
        memory_gb=memory / 1e9,
        fits=(NO if misfit else fits) if gpus else "",
        disk_gb=sum(job.disk for job in jobs) / 1e9,
    )


def _list_remarks(work: Workload) -> list[str]:
    """What the numbers leave out, sentence by sentence."""
    cfg, remarks = work.cfg, []
    if cfg.expert.policy == "model" and is_api(cfg.expert.model):
        episodes = work.count_expert_episodes()
        asked = {task: episodes * cfg.bound_of(task) for task in cfg.tasks}
        lengths = {task: measure_lengths(task, cfg) for task in cfg.tasks}
        read = sum(number * lengths[task].prompt for task, number in asked.items())
        written = sum(number * lengths[task].reply for task, number in asked.items())
        remarks.append(
            f"collect asks the endpoint {sum(asked.values()):,} times, {read / 1e6:.0f} million tokens to read and "
            f"{written / 1e6:.0f} million to write, which its provider charges and no GPU here."
        )
    if any(map(is_api, cfg.base.compare)):
        remarks.append(
            "Comparisons behind an endpoint (api:NAME) are counted as jobs without cost."
        )
    if cfg.grpo.vllm == "server":
        remarks.append(
            "The GPUs of the server at grpo.vllm_server come on top for as long as GRPO runs."
        )
    return remarks


def format_estimate(result: Estimate, style: str) -> str:
    """The estimate as "text", "markdown" or "json"."""
    if style == "json":
        return json.dumps(asdict(result), indent=2)
    rows = [HEADINGS, *map(_list_cells, result.stages), _list_totals(result)]
    table = _draw_markdown(rows) if style == "markdown" else _draw_text(rows)
    training = f"LoRA of rank {result.lora_rank}" if result.lora_rank else "all weights trained"
    head = f"Scale {result.scale} on {result.gpu}, {training}: an estimate, not a measurement."
    plural = "s" if result.gpus > 1 else ""
    wall = (
        f"Wall time on {result.gpus} GPU{plural}: {result.wall_hours:.1f} hours. "
        f"Disk at its fullest, checkpoints included: {result.disk_gb:.0f} GB."
    )
    notes = list(result.notes)
    if any(stage.fits == TIGHT for stage in result.stages):
        notes.append(
            "Tight: nine tenths of the card and more, about as exact as memory is modelled."
        )
    if not result.fits:
        notes.append("Hours of what does not fit are what they would be if it did.")
    return "\n\n".join([head, table, "\n".join([wall, *notes])])


def _list_cells(stage: Stage) -> tuple[str, ...]:
    disk = f"{stage.disk_gb:.1f}" if stage.disk_gb >= 0.05 else "0"
    start = (stage.stage, str(stage.jobs))
    if not stage.gpus_per_job:
        return (*start, "-", f"{stage.hours_per_job:.2f}", "-", "-", "-", disk)
    return (
        *start,
        str(stage.gpus_per_job),
        f"{stage.hours_per_job:.2f}",
        f"{stage.gpu_hours:.1f}",
        f"{stage.memory_gb:.1f}",
        stage.fits,
        disk,
    )


def _list_totals(result: Estimate) -> tuple[str, ...]:
    left = sum(stage.disk_gb for stage in result.stages)
    fits = YES if result.fits else NO
    return ("total", str(result.jobs), "", "", f"{result.gpu_hours:.1f}", "", fits, f"{left:.0f}")


def _draw_text(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if n else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _draw_markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
