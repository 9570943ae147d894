"""Attention for small models on a CPU, where moving keys and values through memory is what takes the time.

Transformers' plain attention copies keys and values for every query head that shares them, and a cache that serves
several replies to one prompt is copied for every reply. Here query heads that share a key head are stacked and
multiplied with it at once, and so are the queries of all replies to a prompt (:func:`share_prompts`). The results are
the same up to the order of sums, and gradients flow through both.
"""

import torch
from torch.nn.functional import dropout as drop
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import AttentionMaskInterface, eager_mask

GROUPED = "taskreason_grouped"


class SharedPromptLayer(DynamicLayer):
    """Keys and values of prompts, (prompts, key heads, length, size), under those of replies that grow.

    Row r of a batch of rows belongs to prompt r // (rows / prompts). What :meth:`update` returns are the replies' keys
    and values; the prompts' hang on the keys as ``shared``, where :func:`attend_grouped` finds them.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor):
        super().__init__()
        self.prompts = (keys, values)

    def update(self, key_states, value_states, *args, **kwargs):
        """Append to the replies."""
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        keys.shared = self.prompts
        return keys, values

    def get_seq_length(self) -> int:
        """Length of prompt and reply so far."""
        return self.prompts[0].shape[-2] + super().get_seq_length()


def share_prompts(cache: DynamicCache) -> DynamicCache:
    """A cache in which every prompt of ``cache`` serves the same number of replies, in the order of the prompts."""
    shared = DynamicCache()
    shared.layers = [SharedPromptLayer(layer.keys, layer.values) for layer in cache.layers]
    return shared


def attend_grouped(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of ``query`` (rows, heads, new, size) over ``key`` and ``value`` (rows, key heads, all, size).

    Returns the output (rows, new, heads, size) and the weights (rows, heads, new, all).
    """
    rows, heads, new, size = query.shape
    key_heads = key.shape[1]
    stacked = query.reshape(rows, key_heads, heads // key_heads * new, size)
    scores = stacked @ key.transpose(2, 3)
    prompts = getattr(key, "shared", None)
    if prompts is not None:
        of_prompts = _by_prompt(stacked, len(prompts[0])) @ prompts[0].transpose(2, 3)
        scores = torch.cat([_by_row(of_prompts, rows), scores], dim=-1)
    scores = scores.view(rows, heads, new, -1) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    weights = drop(weights, p=dropout, training=module.training)
    stacked = weights.view(rows, key_heads, heads // key_heads * new, -1)
    if prompts is None:
        output = stacked @ value
    else:
        length = prompts[1].shape[2]
        of_prompts = _by_prompt(stacked[..., :length], len(prompts[1])) @ prompts[1]
        output = _by_row(of_prompts, rows) + stacked[..., length:] @ value
    return output.reshape(rows, heads, new, size).transpose(1, 2).contiguous(), weights


def _by_prompt(rows: torch.Tensor, prompts: int) -> torch.Tensor:
    """(rows, key heads, queries, n) -> (prompts, key heads, replies x queries, n)."""
    batch, key_heads, queries, size = rows.shape
    split = rows.reshape(prompts, batch // prompts, key_heads, queries, size)
    return split.transpose(1, 2).reshape(prompts, key_heads, -1, size)


def _by_row(stacked: torch.Tensor, rows: int) -> torch.Tensor:
    """The inverse of :func:`_by_prompt`."""
    prompts, key_heads, _, size = stacked.shape
    split = stacked.view(prompts, key_heads, rows // prompts, -1, size)
    return split.transpose(1, 2).reshape(rows, key_heads, -1, size)


AttentionInterface.register(GROUPED, attend_grouped)
AttentionMaskInterface.register(GROUPED, eager_mask)
