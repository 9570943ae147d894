"""Attention for small models with grouped query heads on a CPU.

Query heads that share a key head are stacked and multiplied with it at once. Transformers' plain attention copies keys
and values for every query head first, which at one new token a row is most of the time of generation: the copy moves
the whole cache through memory, the product hardly computes anything. The result is the same up to the order of sums.
"""

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

GROUPED = "taskreason_grouped"


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
    """Attention of ``query`` (batch, heads, new, size) over ``key`` and ``value`` (batch, key heads, all, size).

    Returns the output (batch, new, heads, size) and the weights (batch, heads, new, all).
    """
    batch, heads, new, size = query.shape
    shared = key.shape[1]
    stacked = query.reshape(batch, shared, heads // shared * new, size)
    scores = (stacked @ key.transpose(2, 3)).view(batch, heads, new, -1) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    weights = torch.nn.functional.dropout(weights, p=dropout, training=module.training)
    output = weights.view(batch, shared, heads // shared * new, -1) @ value
    return output.view(batch, heads, new, size).transpose(1, 2).contiguous(), weights


AttentionInterface.register(GROUPED, attend_grouped)
AttentionMaskInterface.register(GROUPED, eager_mask)
