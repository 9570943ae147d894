"""Where the tokens of prompts and completions lie for one pass of :mod:`taskreason.policies.fused`."""

from collections.abc import Sequence
from typing import Protocol

import torch

Ids = list[int]


class Shape(Protocol):
    """What of a model decides the layout."""

    dtype: torch.dtype
    heads: int
    key_heads: int
    shared: int

    def angles(self, positions: torch.Tensor) -> torch.Tensor:
        """By what each position is rotated."""


class Places:
    """Where rows go: ``places`` numbers the source of every row of the result, -1 where anything may stand.

    Every one of ``number`` source rows stands somewhere in the result exactly once.
    """

    def __init__(self, places: torch.Tensor, number: int):
        taken = places >= 0
        self.empty = (~taken).nonzero()[:, 0]
        self.index = places.clamp(min=0)
        self.back = torch.empty(number, dtype=torch.long)
        self.back[places[taken]] = taken.nonzero()[:, 0]


class Batch:
    """Prompts, each with the same number of completions, laid out for one pass.

    Tokens lie in one line: the prompts', then the completions'. A prompt's last token goes with each completion, since
    its output predicts the first token of that. completions: those of the first prompt, then those of the second and so
    on; without any, the prompts are read whole.
    """

    def __init__(self, model: Shape, prompts: Sequence[Ids], completions: Sequence[Ids] = ()):
        self.prompts, self.group = len(prompts), len(completions) // len(prompts)
        owners = [prompt for prompt in prompts for _ in range(self.group)]
        ends = [[p[-1], *c[:-1]] for p, c in zip(owners, completions, strict=True)]
        read = [prompt[:-1] for prompt in prompts] if completions else list(prompts)
        self.width, self.size = (round_up(max(map(len, part), default=0)) for part in (read, ends))
        lines = [*read, *ends]
        lengths = torch.tensor([*map(len, lines)])
        firsts = torch.tensor([0] * len(read) + [len(prompt) - 1 for prompt in owners])
        begins = lengths.cumsum(0) - lengths
        self.ids = torch.tensor([token for line in lines for token in line])
        self.in_prompts = int(lengths[: self.prompts].sum())
        steps = torch.arange(len(self.ids)) - (begins - firsts).repeat_interleave(lengths)
        self.angles = model.angles(steps)

        def number(lines: slice, width: int) -> torch.Tensor:
            """Tokens of some lines (lines, width), -1 beyond their ends."""
            across = torch.arange(width)
            tokens = begins[lines, None] + across
            return tokens.masked_fill(across >= lengths[lines, None], -1)

        def sort(tokens: torch.Tensor, columns: torch.Tensor, total: int) -> torch.Tensor:
            return torch.where(tokens < 0, -1, tokens * total + columns).flatten()

        # Rows are sorted by prompt, key head, completion, query head of the key head, token.
        heads, keys, shared = model.heads, model.key_heads, model.shared
        total = heads + 2 * keys
        queries = torch.arange(heads).view(1, keys, 1, shared, 1)
        pairs = torch.arange(heads, heads + keys).view(1, keys, 1, 1)
        grids = [number(slice(0, self.prompts), self.width).view(self.prompts, 1, 1, self.width)]
        if completions:
            grids.append(number(slice(self.prompts, None), self.size))
            grids[1] = grids[1].view(self.prompts, 1, self.group, self.size)
        parts, outputs = [], []
        for grid in grids:
            parts += [sort(grid[..., None, :], queries, total)]
            parts += [sort(grid, columns, total) for columns in (pairs, pairs + keys)]
            outputs.append(sort(grid[..., None, :], queries, heads))
        self.cuts = [*map(len, parts)]
        self.heads = Places(torch.cat(parts), len(self.ids) * total)
        self.tokens = Places(torch.cat(outputs), len(self.ids) * heads)
        self.causal = _mask_later(self.width, shared, model.dtype)
        if completions:
            after = outputs[1] - self.in_prompts * heads
            self.last = Places(after.clamp(min=-1), (len(self.ids) - self.in_prompts) * heads)
            self.causal_ends = _mask_later(self.size, shared, model.dtype)
            self.padding = mask_padding(model, lengths[: self.prompts], self.width)


def round_up(width: int, step: int = 16) -> int:
    """To a multiple of 16, at whose rows products and softmax are quicker."""
    return -(-width // step) * step


def mask_padding(model: Shape, lengths: torch.Tensor, width: int) -> torch.Tensor:
    """What hides the places after each prompt's end, (prompts x key heads, 1, width), to be added to scores."""
    padded = torch.arange(width) >= lengths[:, None]
    hidden = torch.zeros(padded.shape, dtype=model.dtype)
    hidden.masked_fill_(padded, torch.finfo(model.dtype).min)
    return hidden.repeat_interleave(model.key_heads, 0)[:, None]


def _mask_later(size: int, times: int, dtype: torch.dtype) -> torch.Tensor:
    """What keeps each of ``size`` tokens from those after it, (times x size, size), to be added to scores."""
    later = torch.full((size, size), torch.finfo(dtype).min, dtype=dtype).triu_(1)
    return later.repeat(times, 1)
