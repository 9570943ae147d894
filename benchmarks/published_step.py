"""A step at the published size: the settings it runs with, what `taskreason estimate` predicts, what was measured.

`published_size.py` measures steps and keeps them in `published_size.csv`, a row for each machine, way of training,
stage and micro-batch; here these are read, and the model of cost is asked for the same batch, lengths and card. Nothing
here imports torch.
"""

import csv
from dataclasses import dataclass, fields, replace
from math import isnan, nan
from pathlib import Path

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.cost.model import (
    GPUS,
    RUNTIME_BYTES,
    SHAPES,
    Gpu,
    Job,
    Lengths,
    Shape,
    generation_bytes,
    generation_seconds,
)

MEASURED = Path(__file__).with_name("published_size.csv")
SHAPE = SHAPES["Qwen2.5-1.5B-Instruct"]


@dataclass(frozen=True)
class Step:
    """A measured step. rows: decisions, states or prompts; group: replies to each; lengths in tokens; GB are decimal.

    stage: sft, grpo, or rollout (greedy replies to a batch of prompts). steps: how many were run; of several the first
    does not count, and seconds are the others' median. sampling_s: the part of GRPO's step that samples replies.
    largest_gb: tensors at the fullest moment; learning_gb: the same outside of sampling. matmul_tflops: of large bf16
    matrix products on the same machine. nan, and empty in the file: not measured.
    """

    hardware: str
    lora_rank: int
    stage: str
    rows: int
    group: int
    micro_batch: int
    steps: int
    prompt: float = nan
    longest_prompt: float = nan
    reply: float = nan
    longest_reply: float = nan
    step_s: float = nan
    sampling_s: float = nan
    largest_gb: float = nan
    learning_gb: float = nan
    matmul_tflops: float = nan

    @property
    def lengths(self) -> Lengths:
        """What the model of cost reads."""
        return Lengths(self.prompt, 0.0, self.reply, self.longest_reply)

    @property
    def tokens(self) -> float:
        """Tokens that SFT learns from, prompts included; of the other stages, tokens that are written."""
        prompts = self.rows * self.prompt if self.stage == "sft" else 0
        return prompts + self.rows * self.group * self.reply


def configure(step: Step, tokens: int, steps: int) -> Config:
    """The published scale's settings, but for the number of steps and what the step says; tokens: of a reply."""
    scale = "paper_24gb" if step.lora_rank else "paper"
    cfg = load_config({"scale": scale, "expert": {"policy": "planner"}})
    sft = {"epochs": 1, "batch_size": step.rows, "micro_batch": step.micro_batch}
    grpo = {"steps": steps, "epochs": 0, "prompts_per_step": step.rows, "group_size": step.group}
    grpo |= {"micro_batch": step.micro_batch, "vllm": "none", "eval_steps": 0}
    return replace(
        cfg,
        worlds=replace(cfg.worlds, training=200, validation=1),
        sft=replace(cfg.sft, **sft) if step.stage == "sft" else cfg.sft,
        grpo=replace(cfg.grpo, **grpo) if step.stage == "grpo" else cfg.grpo,
        train=replace(cfg.train, lora_rank=step.lora_rank),
        rollout=replace(
            cfg.rollout, max_new_tokens=tokens, batch_size=step.rows, engine="transformers"
        ),
    )


def find_card(hardware: str) -> Gpu | None:
    """The card that a machine has, of those whose data sheet is known."""
    name = hardware.lower().replace(" ", "")
    return next((gpu for key, gpu in GPUS.items() if key in name), None)


def count_flops(step: Step) -> float:
    """FLOPs of a training step: backward costs two forward passes, or one where weights are frozen.

    Each prompt is read once for its group.
    """
    forward = step.rows * forward_flops(SHAPE, step.prompt, step.group, step.reply)
    return forward * (2 if step.lora_rank else 3)


def forward_flops(shape: Shape, prompt: float, replies: int = 0, reply: float = 0.0) -> float:
    """FLOPs of one forward pass over a prompt and replies to it, whose tokens alone go through the head."""
    # A token sees itself and all before it.
    pairs = prompt * (prompt + 1) / 2 + replies * reply * (prompt + (reply + 1) / 2)
    matrices = shape.matrices * (prompt + replies * reply)
    head = shape.vocabulary * shape.hidden * replies * reply
    return 2 * (matrices + head) + 4 * shape.layers * shape.hidden * pairs


def predict(step: Step) -> tuple[float, float, float]:
    """Seconds, seconds of sampling (nan without any) and GB that the model of cost gives for the step on its card."""
    card = find_card(step.hardware)
    if step.stage != "rollout":
        job = Job(configure(step, 256, 1), card, SHAPE, step.stage)
        sampling = job.sampling_seconds(step.lengths) if step.stage == "grpo" else nan
        return job.step_seconds(step.lengths), sampling, job.training_bytes(step.lengths) / 1e9
    read, held = step.rows * step.prompt, step.rows * (step.prompt + step.reply / 2)
    seconds = generation_seconds(SHAPE, read, held, step.longest_reply, card, "transformers")
    texts = generation_bytes(SHAPE, read + step.rows * step.longest_reply)
    return seconds, nan, (RUNTIME_BYTES + 2 * SHAPE.parameters + texts) / 1e9


def read_steps() -> list[Step]:
    """The steps measured so far."""
    if not MEASURED.exists():
        return []
    kinds = {field.name: field.type for field in fields(Step)}
    parse = {str: str, int: int, float: lambda text: float(text or "nan")}
    return [
        Step(**{key: parse[kinds[key]](text) for key, text in row.items()})
        for row in csv.DictReader(MEASURED.open())
    ]


def keep_step(step: Step) -> None:
    """Put a step into the file, in the place of an earlier one of the same machine, training, stage and micro-batch."""

    def identify(other: Step) -> tuple:
        return other.hardware, other.lora_rank, other.stage, other.micro_batch

    steps = {identify(other): other for other in read_steps()} | {identify(step): step}
    names = [field.name for field in fields(Step)]
    with MEASURED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for other in steps.values():
            values = [getattr(other, name) for name in names]
            writer.writerow(map(_print, values))


def _print(value: str | float) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:.5g}"
    return str(value)
