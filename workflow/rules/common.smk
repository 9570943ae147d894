# The configuration, paths, and the three rules that all others take their log, environment and resources from.
# Heavy work lies under results/SCALE (results/ENVIRONMENT_SCALE away from the default environment), so that switching
# either never touches another's; tables, figures and the paper show what was run last.
import os
import re
import shutil
import sys
from dataclasses import asdict

WORKFLOW_DIR = Path(str(workflow.current_basedir)).parent
PROJECT_DIR = WORKFLOW_DIR.parent
# Snakemake may run from an environment of its own, where the library is not installed.
sys.path.insert(0, str(WORKFLOW_DIR))

from taskreason.cli.preflight import check_start
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs
from taskreason.durability.machine_errors import check_writable
from taskreason.policies.model_names import check_folder, expand as expand_model
from taskreason.policies.model_names import is_api, is_hub, list_model_files, to_file_name
from taskreason.report.labels import name_compared


def from_project(path):
    """A file of the project, relative to the working directory: moving both together changes no path."""
    return os.path.relpath(PROJECT_DIR / path)


def locate_model(name):
    """A model's name as jobs use it: folders relative to the working directory, other names as they are."""
    name = expand_model(name, cfg.env)
    if is_api(name) or is_hub(name) and not (PROJECT_DIR / name).exists():
        return name
    return from_project(name)


configfile: from_project("config.yaml")


try:
    resolved = resolve_config(config, overrides=workflow.config_settings.overwrite_config)
    if resolved["train"]["accelerate"]:
        resolved["train"]["accelerate"] = from_project(resolved["train"]["accelerate"])
    cfg = load_config(resolved)
    for task in cfg.tasks:
        cfg.env.check_task(cfg.task(task), cfg.mode)
    BASE, EXPERT = locate_model(cfg.base.model), locate_model(cfg.expert.model)
    COMPARED = {name_compared(name): locate_model(name) for name in cfg.base.compare}
except UserError as error:
    sys.exit(str(error))
config.clear()
config.update(resolved)

TASKS = list(cfg.tasks)
RUNS = list_runs(cfg.seeds)
OUT = (
    f"results/{cfg.scale if cfg.environment == 'robotouille' else f'{cfg.environment}_{cfg.scale}'}"
)
LOGS, BENCHMARKS = f"{OUT}/logs", f"{OUT}/benchmarks"
LIGHT_ENV, TRAIN_ENV = "../../envs/light.yaml", "../../envs/train.yaml"
GPU = cfg.resources.gpu
EVAL_GPUS = GPU * cfg.rollout.tensor_parallel

# Which models a run may read: (key in the configuration, name).
MODELS = [("base.compare", name) for name in COMPARED.values()]
if not cfg.base.rebuild:
    MODELS.append(("base.model", BASE))
if cfg.expert.policy == "model":
    MODELS.append(("expert.model", EXPERT))
for key, name in MODELS:
    if not (is_hub(name) or is_api(name)):
        try:
            check_folder(Path(name).resolve())
        except UserError as error:
            sys.exit(f"{key}: {error}")


def on_gpus(number):
    """What a heavy job asks for: GPUs, and on each attempt more memory (MiB) and time (minutes)."""
    return {
        "gpu": number,
        "mem_mb": lambda wildcards, attempt: cfg.resources.mem_mb * attempt,
        "runtime": lambda wildcards, attempt: cfg.resources.runtime * attempt,
    }


wildcard_constraints:
    task="|".join(map(re.escape, TASKS)),
    run=r"(\.seed[0-9]+)?",


# What trains a model or asks one. Whoever takes this over names its job (the place of its log), its script, and what it
# needs before it can start (taskreason/cli/preflight.py).
rule heavy:
    log:
        f"{LOGS}/<job>.log",
    benchmark:
        f"{BENCHMARKS}/<job>.tsv"
    pathvars:
        job="heavy",
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        **on_gpus(GPU),
    script:
        "../scripts/{params.script}.py"


# What needs no model.
rule light:
    log:
        f"{LOGS}/<job>.log",
    benchmark:
        f"{BENCHMARKS}/<job>.tsv"
    pathvars:
        job="light",
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    script:
        "../scripts/{params.script}.py"


# What shows results: one place for all scales.
use rule light as shown with:
    log:
        "results/logs/<job>.log",
    benchmark:
        "results/benchmarks/<job>.tsv"
    pathvars:
        job="shown",


# What only a run needs, a dry run not: graphics cards, models that can be had, a key for the endpoint.
onstart:
    jobs = list(workflow.dag.needrun_jobs())
    needs = {need for job in jobs for need in job.params.get("needs", [])}
    gpus = max((job.resources.get("gpu", 0) for job in jobs), default=0)
    try:
        check_writable(Path("results"))
        check_start(needs, gpus, MODELS, cfg, workflow.local_exec)
    except UserError as error:
        sys.exit(str(error))
    follow_jobs()
