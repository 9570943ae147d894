# The configuration, paths, and the three rules that all others take their log, environment and resources from.
# Heavy work lies under results/SCALE (results/ENVIRONMENT_SCALE away from the default environment), so that switching
# either never touches another's; tables, figures and the paper show what was run last.
import os
import re
import shlex
import shutil
import sys
from dataclasses import asdict

# The real folder, so that a link to the project names the same files as the project itself.
WORKFLOW_DIR = Path(str(workflow.current_basedir)).resolve().parent
PROJECT_DIR = WORKFLOW_DIR.parent
# Snakemake may run from an environment of its own, where the library is not installed.
sys.path.insert(0, str(WORKFLOW_DIR))

from taskreason.cli.preflight import check_start
from taskreason.cli.surroundings import (
    check_arguments,
    check_place,
    check_times,
    free_variables,
    reset_times,
)
from taskreason.config.groups import CONTROLS
from taskreason.config.load import check_files, check_own_tasks, load_config, resolve_config
from taskreason.durability.errors import UserError, check_writable
from taskreason.durability.files import list_runs
from taskreason.policies.model_names import (
    PYPI,
    check_model,
    expand as expand_model,
    is_api,
    is_fetched,
    is_hub,
    list_model_files,
    to_file_name,
)
from taskreason.report.labels import (
    FOLDERS,
    GREEDY,
    GRID_POLICY,
    TRAINED,
    check_labels,
    list_policies,
    list_temperatures,
    name_compared,
)

# Jobs start independent of what the user's shell sets for other programs.
free_variables(os.environ)
# Snakemake writes the interpreter into the shell commands of its jobs as it is, which a blank in its path would break.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)


def from_project(path):
    """A file of the project, relative to the working directory: moving both together changes no path."""
    return os.path.relpath(PROJECT_DIR / path)


def locate_model(name):
    """A model's name as jobs use it: folders relative to the working directory, other names as they are."""
    name = expand_model(name, cfg.env)
    if is_api(name) or name.startswith(PYPI) or is_hub(name) and not (PROJECT_DIR / name).exists():
        return name
    return from_project(name)


try:
    # Before Snakemake reads them, and loses how their numbers are written.
    check_files([from_project("config.yaml"), *workflow.config_settings.configfiles])
except UserError as error:
    sys.exit(str(error))


configfile: from_project("config.yaml")


try:
    check_arguments(sys.argv[1:])
    check_place(PROJECT_DIR)
    check_place(Path.cwd())
    if workflow.is_main_process:
        reset_times(PROJECT_DIR)
    resolved = resolve_config(config, overrides=workflow.config_settings.overwrite_config)
    files = [(part, "layout") for part in resolved["task_settings"].values()]
    for part, key in [*files, (resolved["train"], "accelerate")]:
        if part[key]:
            part[key] = from_project(part[key])
    cfg = load_config(resolved)
    check_labels(cfg)
    check_own_tasks(cfg)
    EXPERT = locate_model(cfg.expert.model)
    # An environment without a model of its own trains one.
    BASE = None if cfg.base.rebuild else locate_model(cfg.base.model)
    COMPARED = {name_compared(name): locate_model(name) for name in cfg.base.compare}
    # Which models a run may read: (key in the configuration, name).
    MODELS = [("base.compare", name) for name in COMPARED.values()]
    MODELS += [] if cfg.base.rebuild else [("base.model", BASE)]
    MODELS += [("expert.model", EXPERT)] if cfg.expert.policy == "model" else []
    for key, name in MODELS:
        if not is_hub(name):
            check_model(key, name)
except UserError as error:
    sys.exit(str(error))
config.clear()
config.update(resolved)
SETTINGS = {key: value for key, value in config.items() if key != "resources"}

TASKS = list(cfg.tasks)
RUNS = list_runs(cfg.seeds)
OUT = f"results/{cfg.scale}"
if cfg.environment != "robotouille":
    OUT = f"results/{cfg.environment}_{cfg.scale}"
LOGS, BENCHMARKS = f"{OUT}/logs", f"{OUT}/benchmarks"
LIGHT_ENV, TRAIN_ENV = "../../envs/light.yaml", "../../envs/train.yaml"
GPU = cfg.resources.gpu
EVAL_GPUS = GPU * cfg.rollout.tensor_parallel


wildcard_constraints:
    task="|".join(map(re.escape, TASKS)),
    run=r"(\.seed[0-9]+)?",
