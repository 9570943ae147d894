"""The end of a fused pass: log-probabilities of given tokens over a vocabulary that may be large.

Logits of all tokens at once would take gigabytes where the vocabulary has 50,000 words, and memory that is asked for
anew at every pass costs more time than the arithmetic. So they are computed for some tokens at a time, and once more in
the backward pass.
"""

import torch
from torch.nn.functional import linear

NUMBERS = 6_000_000
"""Logits that are held at once, in fp32: what malloc reuses, and does not ask the system for each time."""


def score(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probabilities of the targets (tokens,), entropies, and whether each target is the likeliest token.

    hidden (tokens, hidden size), normalised, in the dtype of the products; weight (vocabulary, hidden size): the head.
    Gradients flow through the log-probabilities alone.
    """
    return _Score.apply(hidden, weight, targets, temperature)


class _Score(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, temperature):
        head = weight.to(hidden.dtype)
        parts = []
        for rows in _split(hidden, weight):
            scores = _find_scores(hidden[rows], head, temperature)
            wanted = targets[rows, None]
            totals = scores.logsumexp(-1)
            chosen, best = scores.gather(1, wanted)[:, 0], scores.argmax(-1) == targets[rows]
            chances = (scores - totals[:, None]).exp_()
            mean = torch.linalg.vecdot(chances, scores)
            parts.append((chosen - totals, totals - mean, best, totals))
        log_probs, entropy, best, totals = map(torch.cat, zip(*parts, strict=True))
        ctx.save_for_backward(hidden, head, targets, totals)
        ctx.temperature, ctx.dtype = temperature, weight.dtype
        ctx.mark_non_differentiable(entropy, best)
        return log_probs, entropy, best

    @staticmethod
    def backward(ctx, grad, *_):
        hidden, head, targets, totals = ctx.saved_tensors
        slopes = torch.empty(len(hidden), len(head), dtype=hidden.dtype)
        of_hidden = torch.empty_like(hidden)
        for rows in _split(hidden, head):
            # The slope of log p(target) by the logits is 1 at the target, less p everywhere.
            scores = _find_scores(hidden[rows], head, ctx.temperature)
            factor = grad[rows, None] / ctx.temperature
            chances = scores.sub_(totals[rows, None]).exp_().mul_(-factor)
            slopes[rows] = chances.scatter_add_(1, targets[rows, None], factor)
            torch.mm(slopes[rows], head, out=of_hidden[rows])
        of_weight = (slopes.t() @ hidden).to(ctx.dtype) if ctx.needs_input_grad[1] else None
        return of_hidden, of_weight, None, None


def _split(hidden: torch.Tensor, weight: torch.Tensor) -> list[slice]:
    """Rows of ``hidden`` whose logits fit into ``NUMBERS``."""
    size = max(1, NUMBERS // len(weight))
    return [slice(first, first + size) for first in range(0, len(hidden), size)]


def _find_scores(hidden: torch.Tensor, head: torch.Tensor, temperature: float) -> torch.Tensor:
    """Logits in fp32, divided by the temperature."""
    return linear(hidden, head).float().div_(temperature)
