"""Which stages do not fit a card's memory, and the smallest change of the configuration after which they would.

Every change that is proposed was put through the same model of memory first.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from taskreason.config.models import Config
from taskreason.cost.generation import generation_bytes
from taskreason.cost.lengths import measure_lengths
from taskreason.cost.memory import batch_memory, grpo_memory, rollout_memory, sft_memory
from taskreason.cost.model import Architecture
from taskreason.cost.workload import Workload

PARALLEL_CHOICES = (1, 2, 4, 8)
"""GPUs across which vLLM can split a model: they divide its heads, and one machine has no more."""
SHARE_STEP = 0.05
"""To whose multiples a larger share of the card for vLLM is rounded up."""
LORA_RANK = 16
"""Rank that is proposed where every weight is trained; a common choice, not one that was tried here."""


def explain_training(work: Workload, stage: str, tasks: tuple[str, ...]) -> str | None:
    """None where every task's training fits; else why not and what to change. stage: sft, sft_longer or grpo."""
    key = "grpo" if stage == "grpo" else "sft"

    def need(other: Workload) -> float:
        memory = grpo_memory if key == "grpo" else sft_memory
        return max(memory(other, measure_lengths(task, other.cfg)) for task in tasks)

    limit, start = work.gpu.memory, _make_room(work) if key == "grpo" else work.cfg
    roomy = replace(work, cfg=start)
    wider = [] if start == work.cfg else [f"grpo.vllm_memory to {start.grpo.vllm_memory:.2g}"]
    if need(roomy) <= limit and not wider:
        return None
    fix = next(
        (
            f"set {' and '.join(wider + changes)}"
            for changes, cfg in _list_changes(start, key)
            if need(replace(work, cfg=cfg)) <= limit
        ),
        "spread it over several GPUs (train.accelerate: envs/accelerate/fsdp.yaml) or take a "
        "larger card",
    )
    reason = f"it needs {_compare(need(roomy), limit)}"
    if wider:
        reason += ", its vLLM engine included"
    if need(roomy) <= limit:
        reason = "its vLLM engine has too small a share"
    return f"train_{stage} does not fit: {reason}; {fix}."


def _make_room(work: Workload) -> Config:
    """The configuration, with a larger share of the card for the engine beside GRPO where it is too small."""
    cfg, grpo = work.cfg, work.cfg.grpo
    needed = generation_bytes(work.base, 1, cfg.rollout.max_model_len, "vllm") / work.gpu.memory
    if grpo.vllm != "colocate" or needed <= grpo.vllm_memory:
        return cfg
    share = min(1.0, math.ceil(needed / SHARE_STEP) * SHARE_STEP)
    return replace(cfg, grpo=replace(grpo, vllm_memory=share))


def _list_changes(cfg: Config, key: str) -> Iterator[tuple[list[str], Config]]:
    """Changed settings as text with the configuration that has them, those that cost least first."""
    part = getattr(cfg, key)
    largest = part.micro_batch or part.batch_size
    micros = [largest >> n for n in range(largest.bit_length())]
    batch = part.prompts_per_step * part.group_size if key == "grpo" else part.batch_size
    for rank in dict.fromkeys((cfg.train.lora_rank, cfg.train.lora_rank or LORA_RANK)):
        for again in dict.fromkeys((cfg.train.gradient_checkpointing, True)):
            for micro in micros:
                if batch % micro:
                    continue
                changes = []
                if rank != cfg.train.lora_rank:
                    changes.append(f"train.lora_rank to {rank}")
                if again != cfg.train.gradient_checkpointing:
                    changes.append("train.gradient_checkpointing to true")
                if micro != largest:
                    changes.append(f"{key}.micro_batch to {micro}")
                train = replace(cfg.train, lora_rank=rank, gradient_checkpointing=again)
                changed = replace(cfg, train=train, **{key: replace(part, micro_batch=micro)})
                yield changes, changed


def explain_rollout(
    work: Workload, rule: str, key: str, name: str, model: Architecture
) -> str | None:
    """None where a rollout of a model fits; else why not and what to change.

    key: of the GPUs that it is split over, ``expert.tensor_parallel`` or ``rollout.tensor_parallel``.
    """
    cfg = work.cfg
    gpus = (cfg.expert if key.startswith("expert") else cfg.rollout).tensor_parallel
    limit, need = _find_limit(work), rollout_memory(work, model, gpus)
    if need <= limit:
        return None
    if cfg.rollout.engine == "vllm":
        wider = [
            n for n in PARALLEL_CHOICES if n > gpus and rollout_memory(work, model, n) <= limit
        ]
        fix = f"set {key} to {wider[0]}" if wider else "take a larger card"
    else:
        fix = _shrink_batch(work, model)
    elsewhere = "" if name == cfg.base.model else " or name a model behind an endpoint (api:NAME)"
    return f"{rule} does not fit: {name} needs {_compare(need, limit)}; {fix}{elsewhere}."


def explain_probe(work: Workload) -> str | None:
    """None where the probes, which transformers runs, fit; else why not and what to change."""
    need, limit = batch_memory(work, work.base), work.gpu.memory
    if need <= limit:
        return None
    fix = _shrink_batch(work, work.base)
    return f"probe_base does not fit: it needs {_compare(need, limit)}; {fix}."


def _find_limit(work: Workload) -> float:
    """Bytes of each GPU that rollouts may take: with vLLM a share of it."""
    share = work.cfg.rollout.gpu_memory if work.cfg.rollout.engine == "vllm" else 1.0
    return share * work.gpu.memory


def _shrink_batch(work: Workload, model: Architecture) -> str:
    """The first halving of the batch of rollouts with which transformers fits."""
    width = work.cfg.rollout.batch_size
    for size in (width >> n for n in range(1, width.bit_length())):
        rollout = replace(work.cfg.rollout, batch_size=size)
        smaller = replace(work, cfg=replace(work.cfg, rollout=rollout))
        if batch_memory(smaller, model) <= work.gpu.memory:
            return f"set rollout.batch_size to {size}"
    return "set rollout.engine to vllm and split the model over several GPUs, or take a larger card"


def _compare(need: float, limit: float) -> str:
    return f"{need / 1e9:.1f} GB a GPU where {limit / 1e9:.1f} are to be had"
