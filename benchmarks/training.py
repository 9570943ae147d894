"""Speed of training and rollouts against stock TRL and against bare PyTorch loops, all in one run.

The work is the laptop's: the shipped base model on expert decisions of one task. Every GRPO variant samples, scores
and learns from the same number of groups in each step; only what is ours (sharing prompts) and what is the library's
(trainer, callbacks, data loading) differs. Times are per step, the first step left out.
"""

import contextlib
import copy
import io
import os
import random
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from taskreason.config.load import load_config
from taskreason.environments import load_environment
from taskreason.environments.base import Decision, list_plan
from taskreason.policies.generation import Sampling
from taskreason.policies.transformers import (
    Generator,
    TransformersPolicy,
    choose_dtype,
    has_fast_bf16,
    load_model,
)
from taskreason.rollouts.episode import Start, run_episodes
from taskreason.training.grpo import list_rewards
from taskreason.training.rewards import expert
from taskreason.training.scoring import choose_products, read_prompts_once, score_fused
from taskreason.training.setup import common_arguments
from taskreason.training.sft import encode
from taskreason.training.trainer import SharedPromptTrainer

ENV = load_environment("robotouille")
MODEL = ENV.data / "base_model"
TASK, KITCHENS = "burger", 40
WHOLE = load_config({}).train
"""Every weight is trained, in one process."""
PROMPTS, GROUP, STEPS, TOKENS, BETA, RATE = 32, 8, 4, 72, 0.03, 5e-5
SFT_BATCH, SFT_STEPS = 8, 60


def measure_training() -> dict[str, float]:
    """All measurements of this module."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    rows = draw_rows()
    measured = measure_grpo(rows) | measure_sft(rows) | measure_rollout()
    peak = measure_matmul_peak()
    model, tokenizer = load_model(MODEL)
    weights = sum(p.numel() for p in model.parameters())
    tokens = measured.pop("sft_tokens_per_step") / measured["sft_step_s_ours"]
    # Six operations a weight and token: two forward, four backward; attention's own products come on top.
    measured["sft_tokens_per_s"] = tokens
    measured["matmul_peak_gflops"] = peak / 1e9
    measured["sft_share_of_matmul_peak"] = 6 * weights * tokens / peak
    return measured | profile_sft(rows)


KINDS = {
    "products_of_weights": ("mm", "addmm"),
    "products_of_attention": ("bmm", "baddbmm"),
    "softmax_and_silu": ("softmax", "silu", "exp", "sigmoid"),
    "copies": ("copy", "cat", "index", "flip", "clone", "fill", "zero", "scatter", "gather"),
    "sums_and_multiples": ("mul", "add", "sub", "div", "sum", "rms_norm", "pow", "rsqrt", "neg"),
    "optimiser": ("lerp", "addcmul", "addcdiv", "sqrt", "norm", "Optimizer"),
}
"""Operations of torch by what they do; a name belongs to the kind with the longest word in it."""


def profile_sft(rows: list[dict]) -> dict[str, float]:
    """Shares of the processor time of SFT steps, by kind of operation."""
    model, tokenizer = load_model(MODEL)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    data = encode(rows[: SFT_BATCH * 6], tokenizer)
    batches = [data[n : n + SFT_BATCH] for n in range(0, len(data), SFT_BATCH)]
    run_fused_step(model, optimizer, batches[0])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for batch in batches[1:]:
            run_fused_step(model, optimizer, batch)
    found = dict.fromkeys([*KINDS, "rest"], 0.0)
    words = {word: kind for kind, words in KINDS.items() for word in words}
    for event in profile.key_averages():
        name = event.key.removeprefix("aten::").strip("_")
        fitting = [word for word in words if word in name and (word != "mm" or name == "mm")]
        kind = words[max(fitting, key=len)] if fitting else "rest"
        found[kind] += event.self_cpu_time_total
    whole = sum(found.values())
    return {f"sft_share_of_time_{kind}": time / whole for kind, time in found.items()}


def run_fused_step(model, optimizer, batch: dict[str, list]) -> None:
    """One step of SFT, written out."""
    ids, mask, labels = pad_batch(batch)
    found = score_fused(model, choose_dtype(), 1.0, ids, mask, labels)
    (-found.log_probs.sum() / found.label_mask.sum()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def run_bare_step(model, optimizer, batch: dict[str, list]) -> None:
    """One step as a short script would have it."""
    ids, mask, labels = pad_batch(batch)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bf16()):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def pad_batch(batch: dict[str, list]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and labels of rows, padded on the right."""
    width = max(map(len, batch["input_ids"]))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in batch["input_ids"]])
    labels = torch.tensor([row + [-100] * (width - len(row)) for row in batch["labels"]])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch["input_ids"]])
    return ids, mask, labels


def draw_rows() -> list[dict]:
    """Expert decisions as prompt, completion and what their reward is counted from."""
    rows = []
    for seed in range(KITCHENS):
        world = ENV.draw(ENV.tasks[TASK], seed, "scattered")
        teacher = ENV.teacher(world)
        plan = list_plan(world, teacher)
        for step, (state, action) in enumerate(plan):
            texts = {"prompt": world.observe(state), "completion": teacher.reply(state)}
            optimal, left = tuple(teacher.optimal(state)), len(plan) - step
            decision = Decision(world.id, step, *texts.values(), action, optimal, left)
            rows.append(texts | {"decision": asdict(decision)})
    random.Random(0).shuffle(rows)
    return rows


class StepTimes(TrainerCallback):
    """Wall time of every optimiser step, seconds, generation included."""

    def __init__(self):
        self.ends = [time.perf_counter()]

    def on_step_end(self, *args, **kwargs):
        self.ends.append(time.perf_counter())

    def typical(self) -> float:
        """Median step, the first left out: it pays for what is made once."""
        return statistics.median(b - a for a, b in zip(self.ends[1:-1], self.ends[2:], strict=True))


def run_trainer(trainer) -> float:
    times = StepTimes()
    trainer.add_callback(times)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    return times.typical()


def measure_grpo(rows: list[dict]) -> dict[str, float]:
    """Seconds a step: stock TRL, ours, and a bare loop that shares prompts too."""
    needed = rows[: PROMPTS * (STEPS + 1)]
    found = {}
    for name, kind in (("stock", GRPOTrainer), ("ours", SharedPromptTrainer)):
        model, tokenizer = load_model(MODEL)
        with tempfile.TemporaryDirectory() as folder:
            trainer = kind(
                model=model,
                reward_funcs=list_rewards("expert"),
                args=GRPOConfig(
                    max_steps=STEPS + 1,
                    per_device_train_batch_size=32,
                    gradient_accumulation_steps=PROMPTS * GROUP // 32,
                    generation_batch_size=PROMPTS * GROUP,
                    num_generations=GROUP,
                    max_completion_length=TOKENS,
                    beta=BETA,
                    loss_type="grpo",
                    learning_rate=RATE,
                    shuffle_dataset=False,
                    logging_steps=1000,
                    **common_arguments(Path(folder), 1000, 0, WHOLE),
                ),
                train_dataset=Dataset.from_list(needed),
                processing_class=tokenizer,
            )
            found[f"grpo_step_s_{name}"] = run_trainer(trainer)
    found["grpo_step_s_bare_loop"] = run_bare_grpo(needed)
    found["grpo_stock_over_ours"] = found["grpo_step_s_stock"] / found["grpo_step_s_ours"]
    found["grpo_ours_over_bare_loop"] = found["grpo_step_s_ours"] / found["grpo_step_s_bare_loop"]
    return found


def run_bare_grpo(rows: list[dict]) -> float:
    """The same step written out: sample, reward, advantage, policy and reference in one pass each, AdamW."""
    model, tokenizer = load_model(MODEL)
    reference, products = copy.deepcopy(model).eval(), choose_dtype()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    times = []
    for start in range(0, len(rows), PROMPTS):
        began = time.perf_counter()
        group = rows[start : start + PROMPTS]
        prompts = tokenizer([row["prompt"] for row in group])["input_ids"]
        sampler = Generator(model, tokenizer.pad_token_id, products)
        replies = sampler.write(prompts, TOKENS, 1.0, GROUP)
        texts = tokenizer.batch_decode(replies, skip_special_tokens=True)
        decisions = [Decision(**row["decision"]) for row in group for _ in range(GROUP)]
        earned = [sum(expert(text, d)) for text, d in zip(texts, decisions, strict=True)]
        rewards = torch.tensor(earned).view(-1, GROUP)
        spread = rewards - rewards.mean(1, keepdim=True)
        advantages = (spread / (rewards.std(1, keepdim=True) + 1e-4)).view(-1)
        rows_of = [
            (prompt, reply)
            for prompt, n in zip(prompts, range(0, len(replies), GROUP), strict=True)
            for reply in replies[n : n + GROUP]
        ]
        for part in torch.arange(len(rows_of)).split(32):
            chosen = [rows_of[n] for n in part]
            scored = [[-100] * len(prompt) + reply for prompt, reply in chosen]
            batch = {"input_ids": [prompt + reply for prompt, reply in chosen], "labels": scored}
            ids, kept, labels = pad_batch(batch)
            with torch.no_grad():
                before = score_fused(reference, products, 1.0, ids, kept, labels).log_probs
            found = score_fused(model, products, 1.0, ids, kept, labels)
            now, mask = found.log_probs, found.label_mask
            kl = torch.exp(before - now) - (before - now) - 1
            loss = -torch.exp(now - now.detach()) * advantages[part, None] + BETA * kl
            loss = ((loss * mask).sum(1) / mask.sum(1)).sum() / len(rows_of)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measure_sft(rows: list[dict]) -> dict[str, float]:
    """Seconds a step of TRL's trainer, as we use it, and of a bare loop on the same batches."""
    model, tokenizer = load_model(MODEL)
    data = encode(rows[: SFT_BATCH * SFT_STEPS], tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=copy.deepcopy(model),
            args=SFTConfig(
                max_steps=len(data) // SFT_BATCH,
                per_device_train_batch_size=SFT_BATCH,
                learning_rate=RATE,
                max_length=None,
                logging_steps=1000,
                train_sampling_strategy="sequential",
                **common_arguments(Path(folder), 100000, 0, WHOLE),
            ),
            train_dataset=data,
            processing_class=tokenizer,
        )
        read_prompts_once(trainer.model, choose_products(trainer.args))
        ours = run_trainer(trainer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    times, tokens = [], 0
    for start in range(0, len(data), SFT_BATCH):
        batch = data[start : start + SFT_BATCH]
        began = time.perf_counter()
        tokens += sum(map(len, batch["input_ids"]))
        run_bare_step(model, optimizer, batch)
        times.append(time.perf_counter() - began)
    bare = statistics.median(times[1:])
    return {
        "sft_step_s_ours": ours,
        "sft_step_s_bare_loop": bare,
        "sft_ours_over_bare_loop": ours / bare,
        "sft_tokens_per_step": tokens / len(times),
    }


def measure_rollout(episodes: int = 40) -> dict[str, float]:
    """Greedy episodes of the base model, and its decisions a second; it fails most, so they are long."""
    policy = TransformersPolicy.load(MODEL, episodes, Sampling(TOKENS))
    starts = []
    for seed in range(1000, 1000 + episodes):
        world = ENV.draw(ENV.tasks[TASK], seed, "scattered")
        starts.append(Start(world, TASK, ENV.teacher(world).distance(world.initial)))
    timeout = load_config({}).timeout_of(TASK)
    began = time.perf_counter()
    done = run_episodes(policy, starts, timeout, episodes)
    seconds = time.perf_counter() - began
    return {
        "rollout_episodes_per_s": episodes / seconds,
        "rollout_decisions_per_s": sum(episode.steps for episode in done) / seconds,
    }


def measure_matmul_peak(size: int = 1024, repeats: int = 10) -> float:
    """Operations a second of a large matrix product, in the type that training multiplies in."""
    kind = torch.bfloat16 if has_fast_bf16() else torch.float32
    a, b = torch.randn(size, size).to(kind), torch.randn(size, size).to(kind)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)
