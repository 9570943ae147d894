"""Whether a GGUF file says the same here as in llama.cpp: `python benchmarks/gguf_replies.py [--prompts 100]`.

Greedy replies of SmolLM2-135M-Instruct to observations of kitchens, in its chat template: by transformers in fp32 from
the folder that the file is converted to, by llama.cpp from the file as it is, and by llama.cpp from the same file with
its weights written out in fp32. The last two differ by how llama.cpp multiplies 4-bit weights, for which it rounds the
activations to 8 bits; what the first and the last differ by is the conversion, and rounding in fp32.

Needs the packages xllamacpp and gguf. Output: results/bench/gguf_replies.json, from which `make readme` fills a part of
docs/configuration.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from taskreason.config.load import load_config
from taskreason.durability.progress import follow
from taskreason.report.render.tables import format_rows

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "gguf_replies.json"
TOKENS = 48
"""Of a reply, at most."""
Replies = list[list[int]]


def main() -> None:
    """Compare the three, and say how many replies, and how many of their tokens, are alike."""
    from taskreason.policies.gguf import convert, download
    from taskreason.policies.transformers import load_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=100)
    number = parser.parse_args().prompts
    name = load_config({"scale": "pretrained"}).base.model
    with TemporaryDirectory() as place, download(name) as file:
        folder, plain = Path(place) / "model", Path(place) / "fp32.gguf"
        convert(file, folder, name)
        write_plain(file, plain)
        model, tokenizer = load_model(folder)
        prompts = draw_prompts(tokenizer, number)
        ours = write_here(model.float(), prompts, tokenizer.eos_token_id)
        theirs = {
            "file": write_there(file, prompts, tokenizer.eos_token_id),
            "fp32": write_there(plain, prompts, tokenizer.eos_token_id),
        }
    found = {"model": name, "prompts": number, "tokens": TOKENS}
    found |= {kind: compare(ours, replies) for kind, replies in theirs.items()}
    found["file_fp32"] = compare(theirs["fp32"], theirs["file"])
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(json.dumps(found, indent=1) + "\n")
    print(FOUND.read_text())


def draw_prompts(tokenizer, number: int) -> Replies:
    """Token ids of observations of kitchens, each as a person's message to the model."""
    cfg = load_config({})
    task = cfg.task("burger")
    prompts = []
    for seed in range(number):
        world = cfg.env.draw(task, seed)
        message = {"role": "user", "content": world.observe(world.initial)}
        text = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
        prompts.append(tokenizer(text, add_special_tokens=False)["input_ids"])
    return prompts


def write_plain(file: Path, plain: Path) -> None:
    """The same GGUF file with every weight in fp32."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize

    reader = GGUFReader(file)
    writer = GGUFWriter(plain, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = 0 if field.name == "general.file_type" else field.contents()
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, kind, sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_here(model, prompts: Replies, end: int) -> Replies:
    """Replies of transformers' own greedy decoding, one prompt after the other."""
    import torch

    replies = []
    for prompt in follow(prompts, "transformers", len(prompts), "replies"):
        ids = torch.tensor([prompt])
        given = {"attention_mask": torch.ones_like(ids), "pad_token_id": end}
        out = model.generate(ids, max_new_tokens=TOKENS, do_sample=False, **given)
        replies.append(cut(out[0, len(prompt) :].tolist(), end))
    return replies


def write_there(file: Path, prompts: Replies, end: int) -> Replies:
    """Replies of llama.cpp, which takes the likeliest token alone."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(file), 2048, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup, params.n_gpu_layers, params.verbosity = False, 0, 0
    server = xllamacpp.Server(params)
    options = {"n_predict": TOKENS, "samplers": ["top_k"], "top_k": 1, "temperature": 0}
    options |= {"cache_prompt": False, "n_probs": 1}  # which is what tells the ids of the tokens
    replies = []
    for prompt in follow(prompts, file.name, len(prompts), "replies"):
        said = server.handle_completions({"prompt": prompt} | options)["choices"][0]
        replies.append(cut([token["id"] for token in said["logprobs"]["content"]], end))
    return replies


def cut(tokens: Sequence[int], end: int) -> list[int]:
    """A reply without the token that ends it."""
    return [*tokens[: tokens.index(end)]] if end in tokens else [*tokens]


def compare(ours: Replies, theirs: Replies) -> dict[str, float]:
    """Shares of equal replies, and of tokens before the first that differs."""
    pairs = [*zip(ours, theirs, strict=True)]
    alike = [
        next((n for n, two in enumerate(zip(a, b, strict=False)) if two[0] != two[1]), len(a))
        for a, b in pairs
    ]
    return {
        "equal": sum(a == b for a, b in pairs) / len(pairs),
        "tokens_alike": sum(alike) / sum(map(len, ours)),
    }


ROWS = {
    "fp32": ("transformers", "llama.cpp, weights in fp32"),
    "file": ("transformers", "llama.cpp, the file as it is"),
    "file_fp32": ("llama.cpp, weights in fp32", "llama.cpp, the file as it is"),
}


def make_table() -> str | None:
    """What was found, in Markdown; None before it has been measured."""
    if not FOUND.exists():
        return None
    found = json.loads(FOUND.read_text())
    header = ["Replies of", "and of", "Equal", "Tokens before the first that differs"]
    body = [
        [*names, f"{found[kind]['equal']:.2f}", f"{found[kind]['tokens_alike']:.2f}"]
        for kind, names in ROWS.items()
    ]
    told = f"Shares, of {found['prompts']} greedy replies of at most {found['tokens']} tokens."
    return f"{format_rows(header, body)}\n\n{told} Made by `benchmarks/gguf_replies.py`."


if __name__ == "__main__":
    main()
