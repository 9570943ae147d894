"""One SFT step and one GRPO step of a model of the published size: do they run, how long, in how much memory?

The weights are random, in the exact shape of Qwen2.5-1.5B, which speed does not depend on; the tokenizer is a small one
made here, so prompts are longer than with the published one (their lengths are in the output). On a GPU the defaults
are those of `scale=paper`; on a CPU take a tiny batch and adapters, since AdamW on all weights needs more than 24 GB:

    python benchmarks/published_size.py --lora-rank 16 --batch 1 --states 1 --group 2 --tokens 16

Output: a line for each stage, and results/bench/published_size.json.
"""

import argparse
import json
import resource
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from taskreason.collection import collect
from taskreason.config import load_config
from taskreason.config_types import Config
from taskreason.cost.model import Rows, find_architecture, training_flops
from taskreason.files import read_lines, write_lines
from taskreason.prompting import tokenize
from taskreason.provenance import describe_hardware
from taskreason.train.common import TrainingFiles
from taskreason.train.job import Job, train
from taskreason.train.shared_prompt import SharedPromptTrainer
from taskreason.trajectories import load_decisions, make_kitchens

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from chat_models import build_chat_tokenizer  # noqa: E402

TASK = "cheese_burger"
SHAPE = {
    "vocab_size": 151936,
    "hidden_size": 1536,
    "num_hidden_layers": 28,
    "intermediate_size": 8960,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}


def main() -> None:
    """Make the model and the decisions, train a step of each stage, and write what was measured."""
    args = parse_arguments()
    work = args.work
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = save_model(work / "model")
    cfg = configure(args)
    for rows, name in ((args.batch, "sft"), (args.states, "grpo")):
        draw_decisions(cfg, rows, work / f"{name}.jsonl")
    measured = {
        "hardware": describe_hardware(),
        "arguments": {k: str(v) for k, v in vars(args).items()},
    }
    for stage in ("sft", "grpo"):
        measured[stage] = measure(stage, cfg, work, tokenizer)
        print(stage, json.dumps(measured[stage], indent=2), flush=True)
    out = ROOT / "results" / "bench" / "published_size.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(measured, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8, help="decisions of the SFT step")
    parser.add_argument("--states", type=int, default=32, help="states of the GRPO step")
    parser.add_argument("--group", type=int, default=8, help="completions a state")
    parser.add_argument(
        "--micro-batch", type=int, default=0, help="rows at a time; 0: paper.yaml's"
    )
    parser.add_argument("--tokens", type=int, default=256, help="of a completion, at most")
    parser.add_argument("--lora-rank", type=int, default=0, help="0 trains every weight")
    parser.add_argument("--vllm", default="none", choices=("none", "colocate"))
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "bench" / "published_size")
    return parser.parse_args()


def save_model(folder: Path):
    """Random weights on disk, as the hub's: bf16. Made once."""
    tokenizer = build_chat_tokenizer()
    if not (folder / "model.safetensors").exists():
        ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        rope = {"rope_type": "default", "rope_theta": 1e6}
        torch.set_default_dtype(torch.bfloat16)
        model = Qwen2ForCausalLM(Qwen2Config(**SHAPE, **ids, rope_parameters=rope))
        torch.set_default_dtype(torch.float32)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return tokenizer


def configure(args: argparse.Namespace) -> Config:
    """The published scale's settings, but for one step and what the arguments change."""
    cfg = load_config({"scale": "paper", "expert": {"policy": "planner"}})
    completions = args.states * args.group
    micro = args.micro_batch or min(cfg.grpo.micro_batch, completions)
    grpo = {"steps": 1, "epochs": 0, "prompts_per_step": args.states, "group_size": args.group}
    grpo |= {"micro_batch": micro, "vllm": args.vllm, "eval_steps": 0}
    sft = {
        "epochs": 1,
        "batch_size": args.batch,
        "micro_batch": args.micro_batch or cfg.sft.micro_batch,
    }
    return replace(
        cfg,
        kitchens=replace(cfg.kitchens, training=200, validation=1),
        sft=replace(cfg.sft, **sft),
        grpo=replace(cfg.grpo, **grpo),
        train=replace(cfg.train, lora_rank=args.lora_rank),
        rollout=replace(cfg.rollout, max_new_tokens=args.tokens),
    )


def draw_decisions(cfg: Config, number: int, path: Path) -> None:
    """The first ``number`` decisions of the planner."""
    cfg = replace(cfg, expert=replace(cfg.expert, trajectories=-(-number // 9)))
    kitchens, whole = path.with_suffix(".kitchens"), path.with_suffix(".whole")
    make_kitchens(TASK, "train", cfg, kitchens)
    collect(TASK, cfg, kitchens, whole, path.with_suffix(".summary"))
    write_lines(path, read_lines(whole, (), str(whole))[:number])


def measure(stage: str, cfg: Config, work: Path, tokenizer) -> dict[str, float]:
    """Seconds and memory of one optimiser step, and what share of the time sampling took."""
    files = TrainingFiles(
        trajectories=work / f"{stage}.jsonl",
        start=work / "model",
        model=work / stage,
        checkpoints=work / "checkpoints",
        curve=work / f"{stage}.csv",
        provenance=work / f"{stage}.provenance.json",
    )
    shutil.rmtree(files.checkpoints, ignore_errors=True)
    sampling = watch(SharedPromptTrainer, "_generate_single_turn")
    stepping = watch(SharedPromptTrainer, "training_step") if stage == "grpo" else None
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    kitchens = work / f"{stage}.kitchens"
    train(Job(stage, TASK, files, kitchens, work / "validation.csv"), cfg)
    whole = time.perf_counter() - start
    decisions = load_decisions(files.trajectories)
    prompts = [len(ids) for ids in tokenize([d.prompt for d in decisions], tokenizer, cfg.prompt)]
    replies = [len(ids) for ids in tokenizer([d.completion for d in decisions])["input_ids"]]
    seconds = json.loads(files.provenance.read_text())["wall_seconds"]
    measured = {
        "step_s": seconds,
        "loading_and_saving_s": whole - seconds,
        "prompt_tokens_mean": sum(prompts) / len(prompts),
        "largest_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    if on_gpu:
        measured["largest_gpu_gib"] = torch.cuda.max_memory_allocated() / 2**30
    if stage == "sft":
        architecture = find_architecture("model", str(files.start), ROOT)
        number = len(decisions)
        rows = Rows(number, sum(prompts) / number, number, sum(replies) / number)
        lora = bool(cfg.train.lora_rank)
        flops = training_flops(architecture, rows, lora, cfg.train.gradient_checkpointing)
        measured["tokens_per_s"] = (sum(prompts) + sum(replies)) / seconds
        measured["flops_per_s"] = flops / seconds
    else:
        measured["sampling_s"] = sum(sampling)
        measured["sampling_share_of_step"] = sum(sampling) / sum(stepping)
    return measured


def watch(owner: type, name: str) -> list[float]:
    """Have a method note how long each of its calls took."""
    original, seconds = getattr(owner, name), []

    def timed(self, *args, **kwargs):
        start = time.perf_counter()
        try:
            return original(self, *args, **kwargs)
        finally:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)

    setattr(owner, name, timed)
    return seconds


if __name__ == "__main__":
    main()
