"""What is checked when a run starts, before its first job: graphics cards, models, packages, keys.

Everything here is cheap and needs neither torch nor weights; a dry run skips it, so that a laptop can look at the plan
of a cluster.
"""

import shutil
import subprocess
from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path

import yaml

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.policies.model_names import API, check_colocation, check_model, is_api

TRAINING, ENGINE = "training", "engine"
"""Needs of a job besides models, which are named by their keys in the configuration: what it takes to train, and the
engine that answers for a model."""
SHARDED = ("FSDP", "DEEPSPEED")


def check_start(
    needs: Collection[str],
    gpus: int,
    models: Iterable[tuple[str, str]],
    cfg: Config,
    local: bool,
) -> None:
    """Raise UserError with one sentence for whatever would stop the run later.

    needs: what the jobs of the run say that they need (``params.needs`` of a rule): ``TRAINING``, ``ENGINE``, and keys
    of the configuration that name models. gpus: the most that a job asks for. models: (key, name). local: the jobs run
    on this machine, not on a cluster's.
    """
    if local:
        check_gpus(gpus, cfg.scale)
    for key, name in models:
        if key in needs:
            if is_api(name):
                check_endpoint(name, cfg)
            else:
                check_model(key, name)
        if key == "base.model" and TRAINING in needs and cfg.grpo.vllm == "colocate":
            check_colocation(Path(name))
    if TRAINING in needs:
        check_training(cfg, local)
    if local and ENGINE in needs and cfg.rollout.engine == "vllm":
        check_package("rollout.engine", "vllm", "vllm")


def check_policy(name: str, cfg: Config) -> None:
    """Raise UserError where a model as a policy can't be had or its engine is not installed."""
    if is_api(name):
        check_endpoint(name, cfg)
        return
    check_model("--policy", name)
    if cfg.rollout.engine == "vllm":
        check_package("--engine vllm", "vllm", "vllm")


def check_gpus(wanted: int, scale: str) -> None:
    """Raise UserError where a job asks for more GPUs than this machine has."""
    present = len(list_gpus())
    if wanted > present:
        raise UserError(
            f"scale {scale} asks for {wanted} GPU{'s' if wanted > 1 else ''} a job and this machine has "
            f"{present or 'none'}; run it on a cluster (snakemake --profile profiles/slurm), choose another scale, or "
            "set resources.gpu to 0 to train on the CPU."
        )


def list_gpus() -> list[str]:
    """One line for each NVIDIA GPU that the driver lists; empty without a driver."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]


def check_endpoint(name: str, cfg: Config) -> None:
    """Raise UserError where a model behind the endpoint can't be asked for want of a package or a key."""
    check_package(name, "openai", "openai")
    from taskreason.policies.openai import make_client, read_key

    make_client(cfg.endpoint, read_key(cfg.endpoint))
    if not name.removeprefix(API):
        raise UserError(f"{name} names no model; write api:NAME.")


def check_training(cfg: Config, local: bool) -> None:
    """Raise UserError where the settings of the trainings need what is not there or don't go together."""
    if local and cfg.train.lora_rank:
        check_package("train.lora_rank", "peft", "peft")
    if local and cfg.grpo.vllm != "none":
        check_package("grpo.vllm", "vllm", "vllm")
    if cfg.train.accelerate:
        check_accelerate(cfg)


def check_package(key: str, module: str, package: str) -> None:
    """Raise UserError where an optional package is missing."""
    if find_spec(module) is None:
        raise UserError(
            f"{key} needs the package {package}, which is not installed in this environment; "
            f"install it (pip install {package}) or change the setting."
        )


def check_accelerate(cfg: Config) -> None:
    """Raise UserError where train.accelerate names no accelerate file, or one that other settings exclude."""
    path = Path(cfg.train.accelerate)
    try:
        values = yaml.safe_load(path.read_text())
        kind = values["distributed_type"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError):
        raise UserError(
            f"train.accelerate: {path} is no accelerate configuration with a distributed_type; "
            "name one of envs/accelerate/ or write one with `accelerate config`."
        ) from None
    if kind in SHARDED and cfg.train.lora_rank:
        raise UserError(
            f"train.lora_rank: adapters can't be merged from weights that {path} spreads over GPUs ({kind}); "
            "set it to 0 or use a file with distributed_type MULTI_GPU."
        )
    if kind in SHARDED and cfg.grpo.eval_steps:
        raise UserError(
            f"grpo.eval_steps: validation worlds can't be played with weights that {path} spreads over GPUs "
            f"({kind}); set it to 0 or use a file with distributed_type MULTI_GPU."
        )
