"""Which engine decodes a small model fastest on one processor core: today's code against what else there is.

The model is one that a laptop's run has trained, its prompts are states of expert trajectories. Every engine gets a
process of its own, held to one core, and answers greedily, a hundred prompts at a time, and with eight samples a prompt
at temperature 1. Its rounds stand between rounds of today's code in the same process (today, engine, today, ...), so
that a ratio compares neighbours. Rates are per second of the processor, which other work on the machine does not use
up; start_s and first_s (what the first call takes longer than later ones, compilation above all) are on the wall.
Greedy replies are held against those of transformers in fp32 with its plain attention.

An engine whose packages are missing is skipped with a sentence. None of them belongs to this project's environment, so
they need one of their own that holds the project, too; two engines whose packages don't go together need two.

    python benchmarks/engines.py [NAME ...]

Output: results/bench/engines.json and a table. Engines that another call has measured are kept there. What engines
need in formats of their own is written under --work.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from itertools import pairwise
from pathlib import Path

BEGAN = time.perf_counter()
LAPTOP = Path("results/laptop")
TASKS = ("double_cheese_burger", "burger", "cheese_burger", "cheese_sandwich")
PROMPTS, TIMED, BATCH, ROUNDS, LIMIT = 400, 200, 100, 3, 128
"""Prompts whose replies are compared, those of them that are timed, and a reply's tokens at most."""
ASKED, SAMPLES = 32, 8
END, PAD = 1, 0

Answer = Callable[[list[str], int], list[str]]
"""Replies to texts, greedy for the number 1; more are sampled, those to one text beside each other."""


@dataclass(frozen=True)
class Engine:
    """load: from the model's folder and that of conversions. needs: packages. convert: runs once, in its own process.

    module: what load imports. settings: environment variables of its process.
    """

    load: Callable[[Path, Path], Answer]
    module: str = "transformers"
    needs: tuple[str, ...] = ()
    convert: Callable[[Path, Path], None] | None = None
    settings: tuple[tuple[str, str], ...] = ()


def main() -> None:
    """Measure the engines that are named, or all; each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--model", type=Path, default=LAPTOP / "models/double_cheese_burger/grpo")
    parser.add_argument("--trajectories", type=Path, default=LAPTOP / "trajectories")
    parser.add_argument("--work", type=Path, default=Path("results/bench/engines"))
    parser.add_argument("--out", type=Path, default=Path("results/bench/engines.json"))
    parser.add_argument("--step", choices=["reference", "convert", "measure"])
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in ENGINES]:
        parser.error(f"no engine {unknown[0]}; there are {', '.join(ENGINES)}")
    args.work.mkdir(parents=True, exist_ok=True)
    if args.step:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        return {"reference": write_reference, "convert": convert, "measure": measure}[args.step](
            args
        )
    run_all(args)


def run_all(args: argparse.Namespace) -> None:
    """Start the processes, one after another; write and print what they have measured."""
    if not (args.work / "reference.json").exists():
        run_step(args, "reference", "today")
    for name in args.names or ENGINES:
        if not util.find_spec(ENGINES[name].module):
            print(
                f"{name} is skipped: {ENGINES[name].module} is not installed.",
                flush=True,
            )
            continue
        try:
            if ENGINES[name].convert:
                run_step(args, "convert", name)
            found = json.loads(run_step(args, "measure", name).splitlines()[-1])
        except subprocess.CalledProcessError as error:
            print(
                f"{name} failed: {(error.stderr.strip().splitlines() or ['?'])[-1]}",
                flush=True,
            )
            continue
        known = json.loads(args.out.read_text()) if args.out.exists() else {}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(known | {name: found}, indent=1) + "\n")
        print(f"{name}: {found['ratio']:.2f} of today's decisions a second", flush=True)
    if args.out.exists():
        print_table(json.loads(args.out.read_text()))


def run_step(args: argparse.Namespace, step: str, name: str) -> str:
    """One step of one engine in a process of its own; what it printed."""
    folders = [f"--{key}={getattr(args, key)}" for key in ("model", "trajectories", "work", "out")]
    command = [sys.executable, __file__, name, "--step", step, *folders]
    threads = {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment = os.environ | threads | dict(ENGINES[name].settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    (args.work / f"{name}_{step}.log").write_text(done.stdout + done.stderr)
    done.check_returncode()
    return done.stdout


def print_table(found: dict[str, dict[str, float]]) -> None:
    """The columns that differ between engines, the fastest engine first."""
    columns = {
        "ratio": "{:.2f}",
        "decisions_per_s": "{:.0f}",
        "sampled_ratio": "{:.2f}",
        "sampled_per_s": "{:.0f}",
        "equal": "{:.4f}",
        "start_s": "{:.1f}",
        "first_s": "{:.1f}",
        "memory_mib": "{:.0f}",
        "size_mib": "{:.0f}",
    }
    width = max(map(len, found))
    print(" " * width, *(f"{name:>15}" for name in columns))
    for name, row in sorted(found.items(), key=lambda item: -item[1]["ratio"]):
        cells = (form.format(row[key]) for key, form in columns.items())
        print(f"{name:{width}}", *(f"{cell:>15}" for cell in cells))


# What every process does


def read_prompts(folder: Path) -> list[str]:
    """States of all tasks, shuffled."""
    lines = (line for task in TASKS for line in (folder / f"{task}.jsonl").open())
    texts = [json.loads(line)["prompt"] for line in lines]
    random.Random(1).shuffle(texts)
    return texts[:PROMPTS]


def write_reference(args: argparse.Namespace) -> None:
    """Greedy replies of transformers in fp32 with plain attention and a plain cache."""
    answer = load_generate(args.model, args.work, "float32", "eager")
    replies = answer(read_prompts(args.trajectories), 1)
    (args.work / "reference.json").write_text(json.dumps(replies))


def convert(args: argparse.Namespace) -> None:
    """The model in the engine's own format."""
    ENGINES[args.names[0]].convert(args.model, args.work)


def measure(args: argparse.Namespace) -> None:
    """Everything about one engine, as a line of JSON."""
    name = args.names[0]
    texts = read_prompts(args.trajectories)
    reference = json.loads((args.work / "reference.json").read_text())
    answer = ENGINES[name].load(args.model, args.work)
    start = time.perf_counter() - BEGAN
    _, first, replies = clock(answer, texts, 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    today = load_today(args.model, args.work)
    found = compare(today, answer, texts[:TIMED], 1)
    sampled = compare(today, answer, texts[:ASKED], SAMPLES)
    greedy = dict(zip(texts, reference, strict=True))
    samples = answer(texts[:ASKED], SAMPLES)
    expected = [greedy[text] for text in texts[:ASKED] for _ in range(SAMPLES)]
    result = {
        "decisions_per_s": found[0],
        "today_decisions_per_s": found[1],
        "ratio": found[2],
        "sampled_per_s": sampled[0],
        "today_sampled_per_s": sampled[1],
        "sampled_ratio": sampled[2],
        "processor_share": found[3],
        "equal": share_equal(replies, reference),
        "samples_like_greedy": share_equal(samples, expected),
        "start_s": start,
        "first_s": max(0.0, first - len(texts) / found[0]),
        "memory_mib": memory,
        "size_mib": measure_packages(ENGINES[name].needs),
        "version": metadata.version((ENGINES[name].needs or ("torch",))[0]),
    }
    print("\n" + json.dumps(result), flush=True)
    os._exit(0)  # Some engines do not end by themselves.


def clock(answer: Answer, texts: list[str], number: int) -> tuple[float, float, list[str]]:
    """Seconds of the processor, in all threads of this process, seconds on the wall, and replies."""
    began, worked = time.perf_counter(), time.process_time()
    replies = answer(texts, number)
    return time.process_time() - worked, time.perf_counter() - began, replies


def compare(today: Answer, other: Answer, texts: list[str], number: int) -> tuple[float, ...]:
    """Replies a second of the other engine and of today's, their ratio, and the other's share of its core."""
    number_of_replies = len(texts) * number
    for answer in (today, other):
        answer(texts, number)
    before = [number_of_replies / clock(today, texts, number)[0]]
    rates, shares = [], []
    for _ in range(ROUNDS):
        worked, passed, _ = clock(other, texts, number)
        shares.append(worked / passed)
        rates.append(number_of_replies / worked)
        before.append(number_of_replies / clock(today, texts, number)[0])
    around = [(a + b) / 2 for a, b in pairwise(before)]
    ratios = [rate / neighbours for rate, neighbours in zip(rates, around, strict=True)]
    return tuple(map(statistics.median, (rates, before, ratios, shares)))


def share_equal(replies: list[str], expected: list[str]) -> float:
    """Share of replies that are the expected ones, letter by letter."""
    return statistics.mean(a == b for a, b in zip(replies, expected, strict=True))


def measure_packages(names: tuple[str, ...]) -> float:
    """MiB on disk of packages and what they require, less what the project needs anyway."""
    have = list_required(("torch", "transformers", "accelerate", "datasets", "pydantic", "pandas"))
    files = (file for name in list_required(names) - have for file in metadata.files(name) or ())
    paths = (Path(file.locate()) for file in files)
    return sum(path.stat().st_size for path in paths if path.is_file()) / 2**20


def list_required(names: tuple[str, ...]) -> set[str]:
    """Installed packages under the names, extras left out."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found, left = set(), [canonicalize_name(name) for name in names]
    while left:
        name = left.pop()
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        parsed = [Requirement(line) for line in requirements]
        needed = [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]
        left += [n for n in map(canonicalize_name, (r.name for r in needed)) if n not in found]
    return found


# What engines share


def speak(folder: Path, answer: Callable[[list[list[int]], int], list[list[int]]]) -> Answer:
    """Texts for an engine that takes and gives token ids."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def say(texts: list[str], number: int) -> list[str]:
        written = answer([encoding.ids for encoding in tokenizer.encode_batch(texts)], number)
        ended = [ids[: ids.index(END)] if END in ids else ids for ids in written]
        return tokenizer.decode_batch(ended)

    return say


def in_batches(answer: Callable) -> Callable[[list[list[int]], int], list[list[int]]]:
    """Prompts of like length together, the longest first; all samples at once."""

    def answer_all(prompts: list[list[int]], number: int) -> list[list[int]]:
        order = sorted(range(len(prompts)), key=lambda n: -len(prompts[n]))
        replies: list[list[list[int]]] = [[] for _ in prompts]
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            rows = list(answer([prompts[n] for n in chosen], number))
            for place, n in enumerate(chosen):
                replies[n] = rows[place * number : (place + 1) * number]
        return [ids for of_prompt in replies for ids in of_prompt]

    return answer_all


def pad(prompts: list[list[int]], left: bool):
    """Token ids and mask, both (prompts, longest), as numpy's arrays."""
    import numpy as np

    width = max(map(len, prompts))
    ids, mask = (np.zeros((len(prompts), width), np.int64) for _ in range(2))
    for row, prompt in enumerate(prompts):
        place = slice(width - len(prompt), width) if left else slice(len(prompt))
        ids[row, place], mask[row, place] = prompt, 1
    return ids, mask


def choose_tokens(logits, sampled: bool, rng):
    """The likeliest tokens of (rows, vocabulary), or drawn ones by Gumbel's trick."""
    if sampled:
        logits = logits + rng.gumbel(size=logits.shape).astype("float32")
    return logits.argmax(-1)


def read_shape(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


# Engines


def load_today(folder: Path, work: Path) -> Answer:
    """This project's policy."""
    import torch

    from taskreason.policies.generation import Sampling
    from taskreason.policies.transformers import TransformersPolicy

    torch.set_num_threads(1)
    greedy = TransformersPolicy.load(folder, BATCH, Sampling(LIMIT))
    sampling = TransformersPolicy.load(folder, ASKED * SAMPLES, Sampling(LIMIT, 1.0))

    def answer(texts: list[str], number: int) -> list[str]:
        written = (greedy if number == 1 else sampling).sample(texts, number)
        return [reply for of_text in written for reply in of_text]

    return answer


def load_generate(
    folder: Path,
    work: Path,
    dtype: str,
    attention: str,
    cache: str | None = None,
    compiled: bool = False,
) -> Answer:
    """Transformers' own generate; compiled: its steps by torch.compile, which needs a static cache."""
    import torch
    from transformers import AutoModelForCausalLM, CompileConfig

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, dtype), attn_implementation=attention
    ).eval()
    options = {
        "max_new_tokens": LIMIT,
        "cache_implementation": cache,
        "use_cache": True,
    }
    if compiled:
        options["compile_config"] = CompileConfig(mode="default", fullgraph=False)
        options["compile_config"]._compile_all_devices = True
    else:
        options["disable_compile"] = True

    @torch.inference_mode()
    def answer(prompts: list[list[int]], number: int) -> list[list[int]]:
        ids, mask = map(torch.from_numpy, pad(prompts, left=True))
        drawn = {"do_sample": True, "top_k": 0, "num_return_sequences": number}
        output = model.generate(
            ids,
            attention_mask=mask,
            **options,
            **(drawn if number > 1 else {"do_sample": False}),
        )
        return output[:, ids.shape[1] :].tolist()

    return speak(folder, in_batches(answer))


def convert_ctranslate2(folder: Path, work: Path) -> None:
    """The library's converter, told that heads are wider than the hidden size divided by their number."""
    from ctranslate2.converters import TransformersConverter
    from ctranslate2.specs.transformer_spec import TransformerDecoderModelSpec as Spec

    make = Spec.from_config
    Spec.from_config = partial(make, head_dim=read_shape(folder)["head_dim"])
    TransformersConverter(str(folder)).convert(str(work / "ctranslate2"), force=True)


def load_ctranslate2(folder: Path, work: Path, kind: str) -> Answer:
    """A batch shrinks as replies end; samples of a prompt share its reading."""
    import ctranslate2
    from tokenizers import Tokenizer

    generator = ctranslate2.Generator(str(work / "ctranslate2"), compute_type=kind, intra_threads=1)
    name = Tokenizer.from_file(str(folder / "tokenizer.json")).id_to_token

    def answer(prompts: list[list[int]], number: int) -> list[list[int]]:
        found = generator.generate_batch(
            [[name(token) for token in prompt] for prompt in prompts],
            max_batch_size=BATCH,
            max_length=LIMIT,
            include_prompt_in_result=False,
            end_token=[END],
            num_hypotheses=number,
            sampling_topk=1 if number == 1 else 0,
        )
        return [ids for result in found for ids in result.sequences_ids]

    return speak(folder, answer)


def convert_onnx(folder: Path, work: Path) -> None:
    """The builder of onnxruntime-genai: attention as one operator, which keeps keys and values in place."""
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    where = ["-i", folder, "-o", work / "onnx", "-c", work / "cache"]
    subprocess.run([*builder, *where, "-p", "fp32", "-e", "cpu"], check=True)


def load_onnxruntime(folder: Path, work: Path) -> Answer:
    """A loop of our own, which binds one buffer as past and as present keys and values."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        str(work / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    shape, rng = read_shape(folder), np.random.default_rng(0)
    heads, size = shape["num_key_value_heads"], shape["head_dim"]
    names = [f"{n}.{kind}" for n in range(shape["num_hidden_layers"]) for kind in ("key", "value")]

    def run(ids, mask, cache: dict):
        binding = session.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", np.ascontiguousarray(mask))
        binding.bind_output("logits", "cpu")
        for name, values in cache.items():
            binding.bind_ortvalue_input(f"past_key_values.{name}", values)
            binding.bind_ortvalue_output(f"present.{name}", values)
        session.run_with_iobinding(binding)
        return binding.get_outputs()[0].numpy()

    def answer(prompts: list[list[int]], number: int) -> np.ndarray:
        ids, mask = pad(prompts, left=False)
        rows, width = ids.shape
        room = (rows, heads, width + LIMIT, size)
        make = ort.OrtValue.ortvalue_from_numpy
        cache = {name: make(np.zeros(room, np.float32)) for name in names}
        ends = mask.sum(1)
        logits = run(ids, mask, cache)[np.arange(rows), ends - 1]
        if number > 1:
            cache = {name: make(v.numpy().repeat(number, 0)) for name, v in cache.items()}
            logits, ends, mask = (x.repeat(number, 0) for x in (logits, ends, mask))
        mask = np.pad(mask, [(0, 0), (0, LIMIT)])
        every, output, done = np.arange(len(ends)), [], np.zeros(len(ends), bool)
        while True:
            tokens = choose_tokens(logits, number > 1, rng)
            tokens[done] = PAD
            output.append(tokens)
            done |= tokens == END
            if done.all() or len(output) == LIMIT:
                return np.stack(output, 1).tolist()
            mask[every, ends] = 1
            ends = ends + 1
            logits = run(tokens[:, None], mask[:, : ends.max()], cache)[:, 0]

    return speak(folder, in_batches(answer))


def convert_openvino(folder: Path, work: Path) -> None:
    """The model written out, traced and given keys and values as state; and its tokenizer, which GenAI asks for.

    optimum-intel, which is made for this, wants an older transformers.
    """
    import numpy as np
    import openvino as ov
    import openvino.opset13 as ops
    import torch
    from openvino._offline_transformations import apply_make_stateful_transformation
    from openvino_tokenizers import convert_tokenizer
    from transformers import AutoTokenizer

    shape = read_shape(folder)
    heads, size = shape["num_key_value_heads"], shape["head_dim"]
    layers = range(shape["num_hidden_layers"])
    names = [f"{n}.{kind}" for n in layers for kind in ("key", "value")]
    inputs = ["input_ids", "attention_mask", "position_ids", "beam_idx"]
    rows, new, old = 2, 3, 4
    example = (
        torch.ones(rows, new, dtype=torch.long),
        torch.ones(rows, new + old, dtype=torch.long),
        torch.arange(old, old + new)[None].repeat(rows, 1),
        torch.arange(rows, dtype=torch.int32),
        *(torch.randn(rows, heads, old, size) for _ in names),
    )
    target = work / "openvino"
    target.mkdir(exist_ok=True)
    with torch.no_grad():
        model = ov.convert_model(write_out(folder), example_input=example)
    past, present = (
        [f"past.{name}" for name in names],
        [f"present.{name}" for name in names],
    )
    for port, name in zip(model.inputs, inputs + past, strict=True):
        port.get_tensor().set_names({name})
    for port, name in zip(model.outputs, ["logits", *present], strict=True):
        port.get_tensor().set_names({name})
    kinds = [[-1, -1]] * 3 + [[-1]] + [[-1, heads, -1, size]] * len(names)
    model.reshape({port: ov.PartialShape(k) for port, k in zip(model.inputs, kinds, strict=True)})
    apply_make_stateful_transformation(model, dict(zip(past, present, strict=True)))
    # The state begins empty, with as many rows as there are prompts.
    zero, one = (ops.constant(np.array(n, dtype=np.int64)) for n in (0, [0]))
    batch = ops.gather(ops.shape_of(model.input("input_ids"), output_type="i64"), one, zero)
    rest = ops.constant(np.array([heads, 0, size], dtype=np.int64))
    empty = ops.broadcast(ops.constant(0.0, dtype=np.float32), ops.concat([batch, rest], 0))
    for node in model.get_ops():
        if node.get_type_name() == "ReadValue":
            node.set_arguments([empty])
    model.validate_nodes_and_infer_types()
    ov.save_model(model, target / "openvino_model.xml", compress_to_fp16=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    parts = convert_tokenizer(tokenizer, with_detokenizer=True)
    for part, name in zip(parts, ("tokenizer", "detokenizer"), strict=True):
        ov.save_model(part, target / f"openvino_{name}.xml")
    for name in ("config.json", "generation_config.json"):
        (target / name).write_text((folder / name).read_text())


def write_out(folder: Path):
    """The model in plain PyTorch: past keys and values in, all of them out, chosen by beam_idx."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional as F

    shape, weights = read_shape(folder), load_file(folder / "model.safetensors")
    heads, size, shared = (
        shape[key] for key in ("num_attention_heads", "head_dim", "num_key_value_heads")
    )
    theta, little = shape["rope_parameters"]["rope_theta"], shape["rms_norm_eps"]
    frequencies = theta ** -(torch.arange(0, size, 2).float() / size)

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def normalise(x, name):
        return weights[f"{name}.weight"] * x * torch.rsqrt(x.pow(2).mean(-1, True) + little)

    def turn(x, cos, sin):
        half = torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1)
        return x * cos + half * sin

    def spread(x):
        rows, _, length, _ = x.shape
        each = x[:, :, None].expand(-1, -1, heads // shared, -1, -1)
        return each.reshape(rows, heads, length, size)

    class Model(torch.nn.Module):
        def forward(self, input_ids, attention_mask, position_ids, beam_idx, *past):
            rows, new = input_ids.shape
            length = attention_mask.shape[1]
            angles = position_ids[:, None, :, None].float() * frequencies
            cos, sin = (torch.cat([part, part], -1) for part in (angles.cos(), angles.sin()))
            seen = torch.arange(length) <= (torch.arange(new) + length - new)[:, None]
            seen = seen[None, None] & (attention_mask[:, None, None, :] > 0)
            mask = torch.where(seen, torch.tensor(0.0), torch.tensor(-65504.0))
            x, present = (
                F.embedding(input_ids, weights["model.embed_tokens.weight"]),
                [],
            )
            for n in range(shape["num_hidden_layers"]):
                layer = f"model.layers.{n}"
                y = normalise(x, f"{layer}.input_layernorm")
                parts = (linear(y, f"{layer}.self_attn.{kind}_proj") for kind in "qkv")
                q, k, v = (part.view(rows, new, -1, size).transpose(1, 2) for part in parts)
                old_k, old_v = (p.index_select(0, beam_idx) for p in past[2 * n : 2 * n + 2])
                k, v = (
                    torch.cat([old_k, turn(k, cos, sin)], 2),
                    torch.cat([old_v, v], 2),
                )
                present += [k, v]
                y = F.scaled_dot_product_attention(turn(q, cos, sin), spread(k), spread(v), mask)
                y = y.transpose(1, 2).reshape(rows, new, heads * size)
                x = x + linear(y, f"{layer}.self_attn.o_proj")
                y = normalise(x, f"{layer}.post_attention_layernorm")
                gate = F.silu(linear(y, f"{layer}.mlp.gate_proj"))
                x = x + linear(gate * linear(y, f"{layer}.mlp.up_proj"), f"{layer}.mlp.down_proj")
            x = normalise(x, "model.norm")
            return F.linear(x, weights["model.embed_tokens.weight"]), *present

    return Model().eval()


def load_openvino_genai(folder: Path, work: Path, kind: str) -> Answer:
    """Pages of keys and values; a prompt begins as soon as a reply has ended."""
    import numpy as np
    import openvino as ov
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.max_num_seqs, scheduler.max_num_batched_tokens = ASKED * SAMPLES, 4096
    scheduler.cache_size, scheduler.enable_prefix_caching = 1, False
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": kind}
    if kind == "f32":
        options["KV_CACHE_PRECISION"] = kind
    pipeline = genai.LLMPipeline(
        str(work / "openvino"), "CPU", scheduler_config=scheduler, **options
    )

    def answer(prompts: list[list[int]], number: int) -> list[list[int]]:
        drawn = {"temperature": 1.0, "top_p": 1.0, "num_return_sequences": number}
        sampling = {"do_sample": number > 1} | (drawn if number > 1 else {})
        config = genai.GenerationConfig(max_new_tokens=LIMIT, eos_token_id=END, **sampling)
        inputs = genai.TokenizedInputs(*map(ov.Tensor, pad(prompts, left=True)))
        return [list(map(int, np.asarray(ids))) for ids in pipeline.generate(inputs, config).tokens]

    return speak(folder, in_batches(answer))


def convert_vllm(folder: Path, work: Path) -> None:
    """The same weights as a Llama with biases: vLLM's Qwen2 takes the head's size from the hidden one, silently."""
    target = work / "vllm"
    target.mkdir(exist_ok=True)
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    config = read_shape(folder) | kind | {"attention_bias": False, "qkv_bias": True}
    (target / "config.json").write_text(json.dumps(config))


def load_vllm(folder: Path, work: Path, kind: str) -> Answer:
    """Compiled steps, pages of keys and values; its worker in this process."""
    from vllm import LLM, SamplingParams

    model = LLM(
        str(work / "vllm"),
        dtype=kind,
        max_model_len=512,
        max_num_seqs=BATCH,
        max_num_batched_tokens=4096,
        enable_prefix_caching=False,
        disable_log_stats=True,
    )

    def answer(prompts: list[list[int]], number: int) -> list[list[int]]:
        params = SamplingParams(
            n=number,
            temperature=float(number > 1),
            max_tokens=LIMIT,
            detokenize=False,
            stop_token_ids=[END],
        )
        asked = [{"prompt_token_ids": prompt} for prompt in prompts]
        done = model.generate(asked, params, use_tqdm=False)
        return [list(output.token_ids) for result in done for output in result.outputs]

    return speak(folder, answer)


AVX512 = (("CT2_FORCE_CPU_ISA", "AVX512"),)
VLLM = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
}
PLAIN, STATIC = {"attention": "sdpa"}, {"attention": "sdpa", "cache": "static"}


def list_engines() -> dict[str, Engine]:
    """All that are compared, by name."""
    engines = {
        "today": Engine(load_today),
        "generate_eager_fp32": Engine(partial(load_generate, dtype="float32", attention="eager")),
    }
    for short, dtype in (("fp32", "float32"), ("bf16", "bfloat16")):
        make = partial(load_generate, dtype=dtype)
        engines |= {
            f"generate_sdpa_{short}": Engine(partial(make, **PLAIN)),
            f"generate_static_{short}": Engine(partial(make, **STATIC)),
            f"generate_compiled_{short}": Engine(partial(make, **STATIC, compiled=True)),
        }
    for kind in ("float32", "int8"):
        needs = ("ctranslate2",)
        load = partial(load_ctranslate2, kind=kind)
        engines[f"ctranslate2_{kind}"] = Engine(load, needs[0], needs, convert_ctranslate2, AVX512)
    needs = ("onnxruntime", "onnxruntime-genai", "onnx", "onnx-ir", "onnxscript")
    engines["onnxruntime_fp32"] = Engine(load_onnxruntime, "onnxruntime", needs, convert_onnx)
    for short, kind in (("fp32", "f32"), ("bf16", "bf16")):
        engines[f"openvino_genai_{short}"] = Engine(
            partial(load_openvino_genai, kind=kind),
            "openvino_genai",
            ("openvino-genai", "openvino", "openvino-tokenizers"),
            convert_openvino,
        )
    for short, kind in (("fp32", "float32"), ("bf16", "bfloat16")):
        load = partial(load_vllm, kind=kind)
        settings = tuple(VLLM.items())
        engines[f"vllm_{short}"] = Engine(load, "vllm", ("vllm-cpu",), convert_vllm, settings)
    return engines


ENGINES = list_engines()


if __name__ == "__main__":
    main()
