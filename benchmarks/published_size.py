"""Steps of SFT and GRPO and a rollout with a model of the published size: do they run, how long, in how much memory?

The weights are random, in the exact shape of Qwen2.5-1.5B, which speed does not depend on. What they write is noise
that hardly ever ends, so every reply is as long as it may be: a step of GRPO, and a rollout, are worst cases. The
tokenizer is made here, and cuts observations into about as many tokens as the published one. No checkpoint is written.

On a GPU the defaults are those of `scale=paper`, and with `--lora-rank 16` those of `scale=paper_24gb`; on a CPU take a
tiny batch and adapters, since AdamW on all weights needs more than 24 GB:

    python benchmarks/published_size.py --lora-rank 16 --batch 1 --states 1 --group 2 --tokens 16 --stages sft grpo

Output: a row for each stage in benchmarks/published_size.csv, from which `make readme` makes its table.
"""

import argparse
import gc
import json
import resource
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, median

import pandas as pd
import torch
from published_step import SHAPE, Step, configure, find_card, keep_step, predict
from transformers import Qwen2Config, Qwen2ForCausalLM

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.files import read_lines, write_lines
from taskreason.durability.provenance import describe_hardware
from taskreason.policies.generation import Sampling
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_worlds
from taskreason.training.checkpoints import CurveLog
from taskreason.training.launch import Job, train
from taskreason.training.setup import TrainingFiles
from taskreason.training.trainer import SharedPromptTrainer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from chat_models import build_chat_tokenizer  # noqa: E402

TASK = "cheese_burger"
HEAD = 128
"""Width of an attention head."""
ON_GPU = torch.cuda.is_available()
MATRIX = 8192 if ON_GPU else 1024
"""Rows of the square matrices whose product says what the machine can do."""


def main() -> None:
    """Make the model and the decisions, run each stage, and keep what was measured."""
    args = parse_arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    tokenizer = save_model(args.work / "model", args.shape)
    peak = measure_matmul()
    print(f"matrix products: {peak / 1e12:.1f} TFLOP/s", flush=True)
    for stage in args.stages:
        for micro in choose_micro_batches(args, stage):
            step = replace(plan_step(args, stage, micro), matmul_tflops=peak / 1e12)
            cfg = configure(step, args.tokens, args.steps)
            # Each step of SFT has its own decisions; GRPO goes on to the next states by itself.
            number = step.rows * (args.steps if stage == "sft" else 1)
            draw_decisions(cfg, number, args.work / stage)
            measure = measure_rollout if stage == "rollout" else measure_training
            found = Step(**asdict(step) | measure(stage, cfg, args.work, tokenizer))
            keep_step(found)
            print(json.dumps(asdict(found), indent=2), flush=True)
            if find_card(found.hardware):
                print("predicted seconds, of these sampling, GB:", *predict(found), flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    stages = ["sft", "grpo", "rollout"]
    parser.add_argument("--stages", nargs="+", choices=stages, default=stages)
    parser.add_argument("--steps", type=int, default=1, help="the first is left out of the median")
    parser.add_argument("--batch", type=int, default=8, help="decisions of an SFT step")
    parser.add_argument("--states", type=int, default=32, help="states of a GRPO step")
    parser.add_argument("--group", type=int, default=8, help="completions a state")
    parser.add_argument("--prompts", type=int, default=100, help="prompts of a rollout")
    parser.add_argument("--tokens", type=int, default=256, help="of a completion, at most")
    several = {"type": int, "nargs": "+", "default": []}
    parser.add_argument("--micro-batch", **several, help="of GRPO, one after the other")
    parser.add_argument("--lora-rank", type=int, default=0, help="0 trains every weight")
    parser.add_argument("--shape", type=json.loads, default={}, help="other sizes, to try this out")
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "bench" / "published_size")
    return parser.parse_args()


def plan_step(args: argparse.Namespace, stage: str, micro: int) -> Step:
    """What is to be measured, without what will be found."""
    rows = {"sft": args.batch, "grpo": args.states, "rollout": args.prompts}[stage]
    group = args.group if stage == "grpo" else 1
    return Step(name_hardware(), args.lora_rank, stage, rows, group, micro, args.steps)


def choose_micro_batches(args: argparse.Namespace, stage: str) -> list[int]:
    """Rows at a time: the scale's, or of GRPO those asked for, but no more than there are."""
    if stage == "rollout":
        return [args.prompts]
    scale = load_config({"scale": "paper_24gb" if args.lora_rank else "paper"})
    wanted = (args.micro_batch if stage == "grpo" else []) or [getattr(scale, stage).micro_batch]
    rows = {"sft": args.batch, "grpo": args.states * args.group}[stage]
    return [min(micro, rows) for micro in wanted]


def name_hardware() -> str:
    """The card, or the processor where there is none."""
    found = describe_hardware()
    return ", ".join(found["gpus"]) or f"{found['cores']} cores of {found['processor']}"


def measure_matmul() -> float:
    """FLOP/s of large bf16 matrix products on random data (fp32 on a CPU)."""
    device, dtype = ("cuda", torch.bfloat16) if ON_GPU else ("cpu", torch.float32)
    left, right = (torch.randn(MATRIX, MATRIX, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(20):
            left @ right
        synchronize()
        seconds.append((time.perf_counter() - start) / 20)
    return 2 * MATRIX**3 / min(seconds)


def synchronize() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def save_model(folder: Path, shape: dict[str, int]):
    """Random weights on disk, as the hub's: bf16. Made once."""
    tokenizer = build_chat_tokenizer()
    if not (folder / "model.safetensors").exists():
        config = Qwen2Config(
            **{
                "vocab_size": SHAPE.vocabulary,
                "hidden_size": SHAPE.hidden,
                "num_hidden_layers": SHAPE.layers,
                "intermediate_size": SHAPE.intermediate,
                "num_attention_heads": SHAPE.hidden // HEAD,
                "num_key_value_heads": SHAPE.keys // HEAD,
                "max_position_embeddings": 32768,
                "tie_word_embeddings": SHAPE.tied,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
            }
            | shape
        )
        torch.set_default_dtype(torch.bfloat16)
        with torch.device("cuda" if ON_GPU else "cpu"):
            model = Qwen2ForCausalLM(config)
        torch.set_default_dtype(torch.float32)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return tokenizer


def draw_decisions(cfg: Config, number: int, path: Path) -> None:
    """The first ``number`` decisions of the planner, in PATH.jsonl; its worlds in PATH.worlds."""
    cfg = replace(cfg, expert=replace(cfg.expert, trajectories=-(-number // 9)))
    worlds, whole = path.with_suffix(".worlds"), path.with_suffix(".whole")
    make_worlds(TASK, "train", cfg, worlds)
    collect(TASK, cfg, worlds, whole, path.with_suffix(".summary"))
    write_lines(path.with_suffix(".jsonl"), read_lines(whole, (), str(whole))[:number])


def measure_training(stage: str, cfg: Config, work: Path, tokenizer) -> dict[str, float]:
    """Seconds and memory of an optimiser step, the median without the first, and the lengths of its texts."""
    files = TrainingFiles(
        trajectories=work / f"{stage}.jsonl",
        start=work / "model",
        model=work / stage,
        checkpoints=work / "checkpoints",
        curve=work / f"{stage}.csv",
        provenance=work / f"{stage}.provenance.json",
        worlds=work / f"{stage}.worlds",
        validation=work / "validation.csv",
    )
    shutil.rmtree(files.checkpoints, ignore_errors=True)
    decisions = load_decisions(files.trajectories)
    texts = [decision.prompt for decision in decisions]
    prompts = [len(ids) for ids in choose_format(cfg).tokenize(texts, tokenizer)]
    replies = [len(ids) for ids in tokenizer([d.completion for d in decisions])["input_ids"]]
    watch = Watch()
    train(Job(stage, TASK, files), cfg)
    watch.stop()
    found = {
        "prompt": fmean(prompts),
        "longest_prompt": max(prompts),
        "reply": fmean(replies),
        "longest_reply": max(replies),
        "step_s": median(watch.steps[1:] or watch.steps),
        "largest_gb": max(watch.peaks),
    }
    if stage == "grpo":
        written = pd.read_csv(files.curve)["completion_length"]
        found |= {"reply": written.mean(), "longest_reply": written.max()}
        found["sampling_s"] = median(watch.samplings[1:] or watch.samplings)
        found["learning_gb"] = max(watch.learning_peaks)
    print(stage, "steps", watch.steps, "sampling", watch.samplings, flush=True)
    print(stage, "GB", watch.peaks, "of these held from before", watch.held, flush=True)
    return found


def measure_rollout(stage: str, cfg: Config, work: Path, tokenizer) -> dict[str, float]:
    """Seconds and memory of greedy replies to a batch of prompts, the median without the first."""
    decisions = load_decisions(work / f"{stage}.jsonl")
    texts = [decision.prompt for decision in decisions]
    asked = choose_format(cfg)
    prompts = [len(ids) for ids in asked.tokenize(texts, tokenizer)]
    tokens = cfg.rollout.max_new_tokens
    clear_memory()
    policy = TransformersPolicy.load(work / "model", len(texts), Sampling(tokens, 0.0, 0), asked)
    seconds = []
    for _ in range(min(2, cfg.grpo.steps) if cfg.grpo.steps else 1):
        start = time.perf_counter()
        policy.sample(texts, 1)
        synchronize()
        seconds.append(time.perf_counter() - start)
    print(stage, seconds, policy.usage, flush=True)
    return {
        "prompt": fmean(prompts),
        "longest_prompt": max(prompts),
        "reply": tokens,
        "longest_reply": tokens,
        "step_s": median(seconds[1:] or seconds),
        "largest_gb": read_peak(),
    }


class Watch:
    """Notes the seconds and the fullest memory of every optimiser step, and what of it sampling takes."""

    def __init__(self):
        self.steps, self.samplings, self.peaks, self.learning_peaks = [], [], [], []
        watched = [(CurveLog, "on_step_begin"), (CurveLog, "on_step_end")]
        watched.append((SharedPromptTrainer, "_generate_single_turn"))
        self._saved = [(owner, name, getattr(owner, name)) for owner, name in watched]
        sample = SharedPromptTrainer._generate_single_turn

        def begin(log, *args, **kwargs):
            synchronize()
            self._sampled = 0.0
            self._start = time.perf_counter()

        def end(log, args, state, control, **kwargs):
            control.should_save = False
            synchronize()
            self.steps.append(time.perf_counter() - self._start)
            self.learning_peaks.append(read_peak())
            self.peaks.append(max(self._sampled, read_peak()))

        def timed(trainer, *args, **kwargs):
            start = time.perf_counter()
            try:
                return sample(trainer, *args, **kwargs)
            finally:
                synchronize()
                self.samplings.append(time.perf_counter() - start)
                self._sampled = read_peak()
                if ON_GPU:
                    torch.cuda.reset_peak_memory_stats()

        clear_memory()
        self.held = read_peak()
        CurveLog.on_step_begin, CurveLog.on_step_end = begin, end
        SharedPromptTrainer._generate_single_turn = timed

    def stop(self) -> None:
        """Put the watched methods back."""
        for owner, name, method in self._saved:
            setattr(owner, name, method)


def clear_memory() -> None:
    """Nothing of an earlier stage counts."""
    gc.collect()
    if ON_GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def read_peak() -> float:
    """GB: of tensors on the GPU at the fullest moment since the last reset; without a GPU, of the process so far."""
    if ON_GPU:
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
