"""What is checked when a run starts, before its first job: graphics cards, models, packages, keys.

Everything here is cheap and needs neither torch nor weights; a dry run skips it, so that a laptop can look at the plan
of a cluster. Whatever is missing raises UserError with one sentence.
"""

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
    """Check whatever would stop the run later.

    needs: what the jobs of the run say that they need (``params.needs`` of a rule): ``TRAINING``, ``ENGINE``, and keys
    of the configuration that name models. gpus: the most that a job asks for. models: (key, name). local: the jobs run
    on this machine, not on a cluster's.
    """
    if local:
        check_gpus(gpus, cfg.scale)
    trains = TRAINING in needs
    for key, name in models:
        if key in needs:
            check_source(key, name, cfg)
        if key == "base.model" and trains and cfg.grpo.vllm == "colocate":
            check_colocation(Path(name))
    if trains and local and cfg.train.lora_rank:
        check_package("train.lora_rank", "peft")
    if trains and local and cfg.grpo.vllm != "none":
        check_package("grpo.vllm", "vllm")
    if trains and cfg.train.accelerate:
        check_accelerate(cfg)
    if local and ENGINE in needs and cfg.rollout.engine == "vllm":
        check_package("rollout.engine", "vllm")


def check_policy(name: str, cfg: Config) -> None:
    """Check that a model as a policy can be had and its engine is installed."""
    check_source("--policy", name, cfg)
    if cfg.rollout.engine == "vllm" and not is_api(name):
        check_package("--engine vllm", "vllm")


def check_source(key: str, name: str, cfg: Config) -> None:
    """Check that a model can be loaded, or asked for behind the endpoint."""
    if not is_api(name):
        check_model(key, name)
        return
    check_package(name, "openai")
    from taskreason.policies.openai import read_key

    read_key(cfg.endpoint)
    if name == API:
        raise UserError(f"{name} names no model; write api:NAME.")


def check_gpus(wanted: int, scale: str) -> None:
    """Check that no job asks for more GPUs than this machine's driver lists."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
        present = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    except (OSError, subprocess.TimeoutExpired):
        present = 0
    if wanted > present:
        raise UserError(
            f"scale {scale} asks for {wanted} GPU{'s' if wanted > 1 else ''} a job and this machine has "
            f"{present or 'none'}; run it on a cluster (snakemake --profile profiles/slurm), choose another scale, or "
            "set resources.gpu to 0 to train on the CPU."
        )


def check_package(key: str, package: str) -> None:
    """Check that an optional package is installed."""
    if find_spec(package) is None:
        raise UserError(
            f"{key} needs the package {package}, which is not installed in this environment; "
            f"install it (pip install {package}) or change the setting."
        )


def check_accelerate(cfg: Config) -> None:
    """Check that train.accelerate names an accelerate file, and one that other settings don't exclude."""
    path = Path(cfg.train.accelerate)
    try:
        kind = yaml.safe_load(path.read_text())["distributed_type"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError):
        raise UserError(
            f"train.accelerate: {path} is no accelerate configuration with a distributed_type; "
            "name one of envs/accelerate/ or write one with `accelerate config`."
        ) from None
    if kind not in SHARDED:
        return
    spread = f"weights that {path} spreads over GPUs ({kind})"
    spread += "; set it to 0 or use a file with distributed_type MULTI_GPU."
    if cfg.train.lora_rank:
        raise UserError(f"train.lora_rank: adapters can't be merged from {spread}")
    if cfg.grpo.eval_steps:
        raise UserError(f"grpo.eval_steps: validation worlds can't be played with {spread}")
