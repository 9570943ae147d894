"""Speed and memory of the pretrained model on one core: this project's passes, and a loop over transformers' own.

    python benchmarks/pretrained.py        # results/bench/pretrained.csv; `make readme` makes a table of it

The work is that of `--config scale=pretrained`: SFT steps of eight of burger's decisions, replies sampled in groups,
and greedy replies to plain prompts and to prompts in chat, which all begin alike. Every kind runs in a process of its
own, so that its largest memory is its own, and the kinds take turns.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from taskreason.config.load import load_config
from taskreason.durability.provenance import describe_hardware, name_machine
from taskreason.environments import load_environment
from taskreason.environments.reply import format_reply, read_action, read_thought
from taskreason.policies.model_names import expand, find_folder
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import Generator, choose_dtype, load_model
from taskreason.report.render.tables import format_rows
from taskreason.training.sft import encode
from training import draw_rows, measure_matmul_peak, run_bare_step, run_fused_step

OUT = Path(__file__).resolve().parents[1] / "results" / "bench" / "pretrained.csv"
ENV = load_environment("robotouille")
CONFIG = {"scale": "pretrained"}
BATCH, STEPS, PROMPTS, GROUP, TOKENS, TURNS = 8, 4, 8, 8, 64, 2
TITLES = {
    "sft_ours": "SFT, this project's passes",
    "sft_bare": "SFT, a loop over transformers' model",
    "sample": f"Sampled replies, {GROUP} to a prompt",
    "answer": "Greedy replies to plain prompts",
    "chat": "Greedy replies to prompts in chat",
}


def load():
    """Model and tokenizer that the scale starts from, in fp32."""
    return load_model(find_folder(expand(load_config(CONFIG).base.model, ENV)))


def draw_batches(tokenizer) -> list[dict[str, list]]:
    """Batches of SFT, the expert's thoughts in plain English."""
    rows = draw_rows()[: BATCH * STEPS]
    for row in rows:
        reply = row["completion"]
        row["completion"] = format_reply(ENV.phrase(read_thought(reply)), read_action(reply))
    data = encode(rows, tokenizer)
    return [data[n : n + BATCH] for n in range(0, len(data), BATCH)]


def measure_sft(kind: str) -> dict[str, float]:
    """Tokens a second, prompt and reply, and operations a second of the products of weights."""
    model, tokenizer = load()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0)
    run = run_fused_step if kind == "sft_ours" else run_bare_step
    speeds, operations = [], []
    head = model.lm_head.weight.numel()
    body = sum(p.numel() for p in model.model.parameters()) - head
    for batch in draw_batches(tokenizer):
        began = time.process_time()
        run(model, optimizer, batch)
        seconds = time.process_time() - began
        tokens = sum(map(len, batch["input_ids"]))
        replies = sum(label != -100 for row in batch["labels"] for label in row)
        speeds.append(tokens / seconds)
        # Six a weight and token, two forward and four backward; the head is asked for the replies alone.
        operations.append(6 * (body * tokens + head * replies) / seconds)
    return {"tokens_per_s": statistics.median(speeds[1:]), "operations": max(operations[1:])}


def measure_replies(kind: str) -> dict[str, float]:
    """Tokens of replies a second, the reading of the prompts included."""
    model, tokenizer = load()
    texts = [row["prompt"] for row in draw_rows()[: PROMPTS if kind == "sample" else 32]]
    cfg = load_config(CONFIG)
    prompts = choose_format(cfg, trained=kind != "chat").tokenize(texts, tokenizer)
    generator = Generator(model, tokenizer.pad_token_id, choose_dtype())
    # Untrained, the model would stop at once or never.
    generator.ends = set()
    group, temperature = (GROUP, 1.0) if kind == "sample" else (1, 0.0)
    began = time.process_time()
    replies = generator.write(prompts, TOKENS, temperature, group)
    seconds = time.process_time() - began
    return {"tokens_per_s": sum(map(len, replies)) / seconds}


def measure(kind: str) -> dict[str, float]:
    """One kind, with the largest memory of this process."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    found = measure_sft(kind) if kind.startswith("sft") else measure_replies(kind)
    if "operations" in found:
        found["share_of_peak"] = found.pop("operations") / measure_matmul_peak()
    return found | {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def make_table() -> str | None:
    """The last measurement as Markdown; None where there is none."""
    if not OUT.is_file():
        return None
    with OUT.open() as file:
        rows = list(csv.DictReader(file))
    head = ["", "Tokens a second", "Share of the matrix peak", "Largest memory, MiB"]
    told = [
        [
            TITLES[row["kind"]],
            f"{float(row['tokens_per_s']):.0f}",
            f"{float(row['share_of_peak']):.2f}" if row["share_of_peak"] else "–",
            f"{float(row['mib']):.0f}",
        ]
        for row in rows
    ]
    return (
        f"{format_rows(head, told)}\n\nOn {rows[0]['processor']}, one core. SFT's tokens are those of prompts and "
        "replies, the others those of replies. Made by `benchmarks/pretrained.py`."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=TITLES)
    kind = parser.parse_args().kind
    if kind:
        print(json.dumps(measure(kind)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in TITLES}
    for _ in range(TURNS):
        for name in TITLES:
            command = [sys.executable, __file__, "--kind", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, found[name][-1], flush=True)
    machine = name_machine(describe_hardware())
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w", newline="") as file:
        columns = ["kind", "tokens_per_s", "share_of_peak", "mib", "processor"]
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for name, turns in found.items():
            best = max(turns, key=lambda turn: turn["tokens_per_s"])
            table.writerow({"kind": name, "processor": machine} | best)


if __name__ == "__main__":
    main()
