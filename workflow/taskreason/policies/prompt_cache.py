"""Keys and values of prompts for :mod:`taskreason.policies.fused`, in portions that stay in the processor's cache.

Prompts in chat begin with the same rules and the same example. What all of them begin with is read once a portion, and
not once a prompt.
"""

from collections.abc import Iterator, Sequence
from os.path import commonprefix

import torch

from taskreason.policies.batch import Batch, Ids, round_up
from taskreason.policies.fused import FusedModel, Kept, Pair, read

PORTION = 1500
"""Tokens that are read at once."""
SHARED = 512
"""Tokens from which on a common beginning is worth a pass of its own."""


@torch.inference_mode()
def read_prompts(model: FusedModel, prompts: Sequence[Ids]) -> list[Pair]:
    """Keys and values of every layer, each (prompts x key heads, width, size).

    width: that of the longest prompt, rounded up; what lies beyond the end of a shorter one means nothing.
    """
    keys, width = model.key_heads, round_up(max(map(len, prompts)))
    empty = (len(prompts) * keys, width, model.size)
    cache = [tuple(torch.zeros(empty, dtype=model.dtype) for _ in range(2)) for _ in model.layers]
    common = count_common(prompts)
    portion = max(PORTION, 4 * common)
    size = max(1, portion // max(1, width - common))
    for first in range(0, len(prompts), size):
        part = prompts[first : first + size]
        rows = slice(first * keys, (first + len(part)) * keys)
        found = _read_rest(model, part, common) if common else _read_whole(model, part)
        for whole, some in zip(cache, found, strict=True):
            for store, new in zip(whole, some, strict=True):
                store[rows, : new.shape[1]] = new[:, :width]
    return cache


def count_common(prompts: Sequence[Ids]) -> int:
    """Tokens with which all of several prompts begin, at least one short of their ends; 0 for fewer than ``SHARED``."""
    common = min(len(commonprefix(prompts)), min(map(len, prompts)) - 1)
    return common if len(prompts) > 1 and common >= SHARED else 0


def _read_whole(model: FusedModel, prompts: Sequence[Ids]) -> Iterator[Pair]:
    kept: list[Kept] = []
    read(model, Batch(model, prompts), kept)
    return ((k, v) for k, v in kept)


def _read_rest(model: FusedModel, prompts: Sequence[Ids], common: int) -> Iterator[Pair]:
    """As completions of what they have in common; a batch reads no completion's last token, hence one more."""
    rest = [[*prompt[common:], 0] for prompt in prompts]
    batch = Batch(model, [prompts[0][:common]], rest)
    kept: list[Kept] = []
    read(model, batch, kept)
    keys, size = model.key_heads, model.size

    def join(shared: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        # (key head, prompt, ..) -> (prompt, key head, ..)
        own = own.view(keys, len(prompts), batch.size, size).transpose(0, 1)
        shared = shared[:, : common - 1].expand(len(prompts), -1, -1, -1)
        return torch.cat([shared, own], dim=2).flatten(0, 1)

    return ((join(k, own_k), join(v, own_v)) for k, v, own_k, own_v in kept)
