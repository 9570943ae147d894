"""The workflow's jobs with their cost: what depends on what as in workflow/rules/, and a schedule of them.

Jobs without a GPU (kitchens, rules, tables, figures) are listed so that the count is that of the workflow; they take an
assumed minute each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taskreason.config.models import Config
from taskreason.cost.lengths import measure_lengths
from taskreason.cost.memory import batch_memory, grpo_memory, rollout_memory, sft_memory
from taskreason.cost.model import GPUS, Architecture, find_architecture
from taskreason.cost.workload import STORAGE_BYTES_PER_S, Workload, count_processes
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.policies.model_names import is_api, shorten

LIGHT_SECONDS = 60
"""A job without a GPU."""
NETWORK_BYTES_PER_S = 1e8
"""Downloading weights."""
RECORD_BYTES = 4000
"""A kitchen, a decision with its prompt, or an episode as a JSON line."""
FIGURES = 9
"""Jobs that draw figures, as listed in workflow/rules/common.smk."""


@dataclass(frozen=True)
class Job:
    """One job. memory: bytes that it needs on each GPU. disk: bytes that it leaves. scratch: further ones meanwhile."""

    rule: str
    name: str
    needs: tuple[str, ...] = ()
    gpus: int = 0
    seconds: float = LIGHT_SECONDS
    memory: float = 0.0
    disk: float = 0.0
    scratch: float = 0.0


def load_workload(cfg: Config, gpu: str, project: Path) -> Workload:
    """The trainings of a configuration on a card of ``GPUS``; raises UserError where their size can't be known."""
    if cfg.base.rebuild:
        raise UserError(
            "base.rebuild: the cost of training a base model from scratch is not modelled; "
            "set it to false."
        )
    base = find_architecture("base.model", cfg.base.model, project)
    return Workload(cfg, GPUS[gpu], base, *count_processes(cfg, project))


def list_jobs(work: Workload, project: Path) -> list[Job]:
    """Every job of the whole workflow, each after those that it needs."""
    cfg = work.cfg
    jobs = [*_list_kitchens(cfg), *_list_models(cfg, work.base, project)]
    jobs += _list_collections(work, project)
    jobs += _list_trainings(work)
    jobs += _list_evaluations(work, project)
    return jobs + _list_reports(cfg, jobs)


def _list_kitchens(cfg: Config) -> list[Job]:
    jobs = []
    for task in cfg.tasks:
        names = [f"{split}_kitchens:{task}" for split in ("training", "validation", "evaluation")]
        for n, name in enumerate(names):
            rule = f"make_{name.partition(':')[0]}"
            disk = RECORD_BYTES * getattr(cfg.kitchens, rule.split("_")[1])
            jobs.append(Job(rule, name, tuple(names[:n]), disk=disk))
    return jobs


def _is_downloaded(name: str, project: Path) -> bool:
    return not is_api(name) and not (project / name).is_dir()


def _fetched(name: str, project: Path) -> tuple[str, ...]:
    """The download that a job needs for a model."""
    return (f"fetch:{name}",) if _is_downloaded(name, project) else ()


def _list_models(cfg: Config, base: Architecture, project: Path) -> list[Job]:
    """Downloads of hub models, and the base model's installation."""
    named = {cfg.base.model: "base.model"} | dict.fromkeys(cfg.base.compare, "base.compare")
    if cfg.expert.policy == "model":
        named |= {cfg.expert.model: "expert.model"}
    jobs = []
    for name, key in named.items():
        if _is_downloaded(name, project):
            stored = 2 * find_architecture(key, name, project).parameters
            seconds = LIGHT_SECONDS + stored / NETWORK_BYTES_PER_S
            jobs.append(Job("fetch_model", f"fetch:{name}", seconds=seconds, disk=stored))
    stored = 2 * base.parameters
    seconds = LIGHT_SECONDS + 2 * stored / STORAGE_BYTES_PER_S
    needs = _fetched(cfg.base.model, project)
    return [*jobs, Job("prepare_base", "base", needs, seconds=seconds, disk=stored)]


def _list_collections(work: Workload, project: Path) -> list[Job]:
    cfg, expert = work.cfg, work.cfg.expert
    local = expert.policy == "model" and not is_api(expert.model)
    jobs = []
    for task in cfg.tasks:
        job = Job("collect", f"collect:{task}", (f"training_kitchens:{task}",))
        job = replace(job, disk=RECORD_BYTES * work.count_decisions(task))
        if local:
            model = find_architecture("expert.model", expert.model, project)
            job = replace(
                job,
                needs=job.needs + _fetched(expert.model, project),
                gpus=cfg.resources.gpu * expert.tensor_parallel,
                seconds=work.collect_seconds(model, task),
                memory=rollout_memory(work, model, expert.tensor_parallel),
            )
        jobs.append(job)
    return jobs


def _list_trainings(work: Workload) -> list[Job]:
    cfg, jobs = work.cfg, []
    stages = ["sft", "grpo"] + ["sft_longer"] * ("sft_longer" in cfg.report.baselines)
    for task in cfg.tasks:
        lengths = measure_lengths(task, cfg)
        for run in list_runs(cfg.seeds):
            for stage in stages:
                start = "base" if stage == "sft" else f"sft:{task}{run}"
                needs = [f"collect:{task}", start]
                if stage == "grpo":
                    needs.append(f"validation_kitchens:{task}")
                    seconds, memory = work.grpo_seconds(task), grpo_memory(work, lengths)
                else:
                    seconds, memory = work.sft_seconds(stage, task), sft_memory(work, lengths)
                jobs.append(
                    Job(
                        f"train_{stage}",
                        f"{stage}:{task}{run}",
                        tuple(needs),
                        cfg.resources.gpu,
                        seconds,
                        memory,
                        disk=work.saved_bytes,
                        scratch=work.checkpoint_bytes,
                    )
                )
    return jobs


def _list_evaluations(work: Workload, project: Path) -> list[Job]:
    cfg, tasks = work.cfg, work.cfg.tasks
    gpus = cfg.resources.gpu * cfg.rollout.tensor_parallel
    kitchens = [f"evaluation_kitchens:{task}" for task in tasks]
    record = RECORD_BYTES * cfg.kitchens.evaluation

    def evaluate(name: str, model: Architecture, needs: tuple, on: Sequence[str], trained: bool):
        where = [f"evaluation_kitchens:{task}" for task in on]
        return Job(
            f"evaluate_{name.partition(':')[0]}",
            f"evaluate_{name}",
            (*where, *needs),
            gpus,
            work.evaluate_seconds(model, list(on), trained),
            rollout_memory(work, model, cfg.rollout.tensor_parallel),
            disk=record * len(on),
        )

    rules = ["expert", *(name for name in cfg.report.baselines if name != "sft_longer")]
    jobs = [
        Job("evaluate_rules", f"evaluate_rules:{name}", tuple(kitchens), disk=record * len(tasks))
        for name in rules
    ]
    jobs.append(evaluate("base", work.base, ("base",), tasks, trained=False))
    for name in cfg.base.compare:
        label = f"compared:{shorten(name)}"
        if is_api(name):
            jobs.append(Job("evaluate_compared", f"evaluate_{label}", tuple(kitchens)))
        else:
            model = find_architecture("base.compare", name, project)
            jobs.append(evaluate(label, model, _fetched(name, project), tasks, trained=False))
    memory = batch_memory(work, work.base)
    needs = ("base", *kitchens)
    jobs.append(
        Job("probe_base", "probe_base", needs, cfg.resources.gpu, work.probe_seconds(), memory)
    )
    for task in tasks:
        for run in list_runs(cfg.seeds):
            model = f"{task}{run}"
            for stage, on in (("sft", [task]), ("grpo", tasks), ("sft_longer", [task])):
                if stage != "sft_longer" or stage in cfg.report.baselines:
                    jobs.append(
                        evaluate(
                            f"{stage}:{model}", work.base, (f"{stage}:{model}",), on, trained=True
                        )
                    )
    return jobs


def _list_reports(cfg: Config, jobs: list[Job]) -> list[Job]:
    """Tables, figures, numbers, gallery, cards, paper (with LaTeX installed), page: after everything else."""
    done = tuple(job.name for job in jobs)
    reports = [Job("make_tables", "make_tables", done), Job("make_macros", "make_macros", done)]
    reports += [Job("make_figure", f"make_figure:{n}", done) for n in range(FIGURES)]
    if set(cfg.tasks) == set(TASKS):
        reports.append(Job("compile_paper", "paper", tuple(job.name for job in reports)))
    reports += [Job("make_gallery", "gallery", done), Job("make_cards", "cards", done)]
    reports.append(Job("make_page", "page", tuple(job.name for job in reports)))
    return reports


def schedule_jobs(jobs: Sequence[Job], gpus: int) -> dict[str, tuple[float, float]]:
    """Start and end of every job, seconds: whenever GPUs are free, the job with the longest chain of work behind it.

    Jobs without a GPU start as soon as what they need is there. A job may not ask for more than ``gpus``.
    """
    behind: dict[str, float] = {}
    for job in reversed(jobs):
        # Those that need a job come after it in the list.
        later = [behind[other.name] for other in jobs if job.name in other.needs]
        behind[job.name] = job.seconds + max(later, default=0.0)
    waiting = sorted(jobs, key=lambda job: -behind[job.name])
    times: dict[str, tuple[float, float]] = {}
    now, free = 0.0, gpus
    running: list[Job] = []
    while waiting or running:
        for job in list(waiting):
            ready = all(need in times and times[need][1] <= now for need in job.needs)
            if ready and job.gpus <= free:
                waiting.remove(job)
                running.append(job)
                free -= job.gpus
                times[job.name] = (now, now + job.seconds)
        now = min(times[job.name][1] for job in running)
        for job in [job for job in running if times[job.name][1] <= now]:
            running.remove(job)
            free += job.gpus
    return times


def find_peak_disk(jobs: Sequence[Job], times: dict[str, tuple[float, float]]) -> float:
    """Most bytes on disk at any time of a schedule: what jobs have left, and checkpoints of those that run."""
    peaks = []
    for moment, _ in times.values():
        started = [job for job in jobs if times[job.name][0] <= moment]
        scratch = sum(job.scratch for job in started if moment < times[job.name][1])
        peaks.append(scratch + sum(job.disk for job in started))
    return max(peaks)
