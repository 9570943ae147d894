# Config, paths and lists that the rules share. Heavy work lives under results/SCALE, so that switching the scale never
# touches another scale's; tables, figures and the paper show the scale that was run last.
import os
import shutil
import sys

WORKFLOW_DIR = Path(str(workflow.current_basedir)).parent
PROJECT_DIR = WORKFLOW_DIR.parent
# Snakemake may run from an environment of its own, where the library is not installed.
sys.path.insert(0, str(WORKFLOW_DIR))

from taskreason.config.load import list_bounds, list_timeouts, load_config, resolve_config
from taskreason.durability.errors import UserError
from taskreason.durability.machine_errors import check_writable
from taskreason.durability.files import list_runs
from taskreason.policies.model_names import check_folder, is_api, is_hub, list_model_files, to_file_name
from taskreason.cli.preflight import check_start
from taskreason.environments.robotouille.task_files import check_recipes
from taskreason.report.labels import POLICIES, list_policies, name_compared
from taskreason.environments.robotouille.tasks import TASKS as FOUR_TASKS


def from_project(path):
    """A file of the project, relative to the working directory: moving both together changes no path."""
    return os.path.relpath(PROJECT_DIR / path)


configfile: from_project("config.yaml")


try:
    resolved = resolve_config(config, overrides=workflow.config_settings.overwrite_config)
    cfg = load_config(resolved)
    check_recipes(cfg.recipes, cfg.kitchens)
except UserError as error:
    sys.exit(str(error))
config.clear()
config.update(resolved)
if config["train"]["accelerate"]:
    config["train"]["accelerate"] = from_project(config["train"]["accelerate"])

TASKS = config["tasks"]
EXTRA = [name for name in config["recipes"] if name not in TASKS]
TIMEOUTS, BOUNDS = list_timeouts(config), list_bounds(config)
RUNS = list_runs(config["seeds"])
OUT = f"results/{config['scale']}"
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
LIGHT_ENV = "../../envs/light.yaml"
TRAIN_ENV = "../../envs/train.yaml"
GPU = config["resources"]["gpu"]

TABLES = expand(
    "results/tables/{name}.{kind}",
    name=[
        *(f"main_{task}" for task in TASKS),
        "main",
        "generalization",
        "generalization_sr",
        "generalization_asat",
        "generalization_asst",
        "comparison",
        "baselines",
        "bound",
        "probes",
        "collection",
        "seeds",
    ],
    kind=["csv", "tex"],
)
FIGURES = expand(
    "results/figures/{name}.{kind}",
    name=[
        "learning_sft",
        "learning_grpo",
        "learning_validation",
        "success_rate",
        "generalization_sr",
        "generalization_asat",
        "generalization_asst",
        "steps_vs_optimal",
        "kitchen",
    ],
    kind=["pdf", "png"],
)


def locate_model(name):
    """A model's name as jobs use it: folders relative to the working directory, other names as they are."""
    if is_api(name) or is_hub(name) and not (PROJECT_DIR / name).exists():
        return name
    return from_project(name)


def model_source(name):
    """What a job that reads a model waits for: a folder's files, a note that the hub's are here, or nothing."""
    if is_hub(name):
        return [f"{OUT}/models/hub/{to_file_name(name)}.json"]
    return [] if is_api(name) else list_model_files(name)


COMPARED = {name_compared(name): locate_model(name) for name in config["base"]["compare"]}
BASE = locate_model(config["base"]["model"])
EXPERT = locate_model(config["expert"]["model"])
MODELS = [("base.compare", name) for name in COMPARED.values()]
if not config["base"]["rebuild"]:
    MODELS.append(("base.model", BASE))
if config["expert"]["policy"] == "model":
    MODELS.append(("expert.model", EXPERT))
for key, name in MODELS:
    if not (is_hub(name) or is_api(name)):
        try:
            check_folder(Path(name).resolve())
        except UserError as error:
            sys.exit(f"{key}: {error}")


wildcard_constraints:
    task="|".join([*TASKS, *EXTRA]),
    run=r"(\.seed[0-9]+)?",
    figure="[a-z_]+",


# What only a run needs, a dry run not: graphics cards, models that can be had, a key for the endpoint.
onstart:
    jobs = {(job.rule.name, job.resources.get("gpu", 0)) for job in workflow.dag.needrun_jobs()}
    try:
        check_writable(Path("results"))
        check_start(jobs, MODELS, load_config(config), workflow.local_exec)
    except UserError as error:
        sys.exit(str(error))
    follow_jobs()
