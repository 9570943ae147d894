"""What it costs to generate replies on a GPU, in seconds and bytes: with transformers or vLLM, alone or in training.

Decoding reads all weights and the keys and values of every running sequence for each token, so memory bandwidth bounds
it; a step takes the longest of that, its FLOPs, and the time to launch its kernels.
"""

from taskreason.cost.model import (
    ADAPTER_LAUNCHES,
    BANDWIDTH_SHARE,
    LAUNCH_SECONDS,
    RUNTIME_BYTES,
    Architecture,
    Gpu,
    Rows,
    forward_flops,
    share_speed,
)

PREFILL_MFU = 0.4
"""Share of peak FLOP/s while prompts are read: forward alone, in bf16."""
AUTOCAST_MOVES = 2.9
"""Bytes moved for keys and values in decoding under fp32 weights with autocast, beside bf16: keys are kept in fp32, and
cast for every token (measured)."""
VLLM_CHUNK_TOKENS = 8192
"""Tokens of prompts that vLLM reads at once, about its default on these cards."""


def count_cache_moves(model: Architecture, engine: str) -> float:
    """How many times a cached token's keys and values are read or written for each new token.

    vLLM reads them where they lie. Transformers copies the cache to append to it, then repeats it for every query head
    of a group and reads that.
    """
    return 1 if engine == "vllm" else 2 + 2 * model.heads / model.kv_heads


def generation_seconds(
    model: Architecture,
    rows: Rows,
    longest: float,
    gpu: Gpu,
    engine: str,
    gpus: int = 1,
    known: float = 0.0,
    autocast: bool = False,
    adapters: bool = False,
) -> float:
    """Time to read the prompts and write the replies side by side until the longest has ended.

    longest: its tokens. engine: key of ``LAUNCH_SECONDS``. gpus: across which the model is split. known: share of the
    prompts' tokens that the engine's cache still holds. autocast: the weights are those under training, in fp32.
    adapters: there are some, which are not merged into the weights.
    """
    speed = share_speed(gpus)
    read = forward_flops(model, Rows(rows.prompts, rows.prompt_tokens, 0, 0)) * (1 - known)
    cached = rows.replies * (rows.prompt_tokens + rows.reply_tokens / 2)
    moves = count_cache_moves(model, engine) * (AUTOCAST_MOVES if autocast else 1)
    moved = 2 * (model.matrices + model.head) + cached * model.kv_bytes * moves
    steps = [
        moved / (gpu.bandwidth * BANDWIDTH_SHARE * speed),
        2 * (model.matrices + model.head) * rows.replies / (gpu.flops * PREFILL_MFU * speed),
        model.layers * LAUNCH_SECONDS[engine] * (ADAPTER_LAUNCHES if adapters else 1),
    ]
    return read / (gpu.flops * PREFILL_MFU * speed) + longest * max(steps)


def sampling_bytes(model: Architecture, sequences: float, prompt: float, reply: float) -> float:
    """Bytes that transformers needs to sample from a model under training, beside its weights.

    The cache keeps keys in fp32 and values in bf16; while the prompts are read, one layer's activations are there: four
    copies of the residual stream in fp32, and of what the feed-forward part holds in bf16 (measured).
    """
    cache = sequences * (prompt + reply) * 1.5 * model.kv_bytes
    return cache + sequences * prompt * (16 * model.hidden + 8 * model.intermediate)


def generation_bytes(
    model: Architecture, sequences: float, tokens: float, engine: str, gpus: int = 1
) -> float:
    """Bytes on each GPU to generate ``sequences`` side by side, each of up to ``tokens``, with bf16 weights.

    While prompts are read, one layer's activations are there, too: of all prompts, or of vLLM's chunk of them.
    """
    cache = sequences * tokens * model.kv_bytes
    read = sequences * tokens if engine == "transformers" else VLLM_CHUNK_TOKENS
    layer = read * (4 * model.hidden + 6 * model.intermediate)
    return (2 * model.parameters + cache + layer) / gpus + RUNTIME_BYTES


def count_side_by_side(model: Architecture, tokens: float, memory: float, gpus: int = 1) -> float:
    """Sequences of so many tokens whose keys and values fit vLLM's share of the memory of each GPU, bytes."""
    empty = generation_bytes(model, 0, 0, "vllm", gpus)
    return max(0.0, (memory - empty) * gpus / (tokens * model.kv_bytes))
