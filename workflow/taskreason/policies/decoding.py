"""Replies of a small model on a CPU, token by token: what transformers' ``generate`` writes, several times as fast.

Keys and values lie in blocks that are written in place, prompts of like length are read together in portions that stay
in the processor's cache, a prompt is read once for all its replies, and prompts whose replies have all ended leave the
batch.
"""

from collections.abc import Callable, Collection, Sequence

import torch
from torch.nn.functional import embedding

from taskreason.policies.batch import Ids, mask_padding, round_up
from taskreason.policies.fused import FusedModel, attend_shared, turn
from taskreason.policies.prompt_cache import read_prompts

BLOCK = 16
"""Tokens by which the room for replies grows."""
ROWS = 256
"""Replies that are written side by side at most; more of them take memory and gain nothing."""
FULL = 0.8
"""Below this share of prompts with unfinished replies the others leave the batch."""


@torch.inference_mode()
def decode(
    model: FusedModel,
    prompts: Sequence[Ids],
    limit: int,
    ends: Collection[int],
    group: int = 1,
    temperature: float = 0.0,
    on_token: Callable[[int], None] = lambda written: None,
) -> list[Ids]:
    """``group`` replies to each prompt, in order, each at most ``limit`` tokens with the one that ends it.

    temperature 0: the likeliest token every time; else drawn by torch's generator. on_token: told after every token
    how many have been written to a batch.
    """
    order = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
    replies: list[list[Ids]] = [[] for _ in prompts]
    size = max(1, ROWS // group)
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        writer = _Writer(model, [prompts[n] for n in chosen], group)
        written = writer.write(limit, torch.tensor(sorted(ends)), temperature, on_token)
        for place, n in enumerate(chosen):
            replies[n] = written[place * group : (place + 1) * group]
    return [reply for group in replies for reply in group]


class _Writer:
    """A batch of prompts and their replies so far; rows are sorted by prompt, key head and reply."""

    def __init__(self, model: FusedModel, prompts: list[Ids], group: int):
        self.model, self.group, self.last = model, group, [prompt[-1] for prompt in prompts]
        lengths = [len(prompt) - 1 for prompt in prompts]
        self.width = round_up(max(lengths))
        self.cache = read_prompts(model, [prompt[:-1] for prompt in prompts])
        self.lengths = torch.tensor(lengths)
        self.numbers = torch.arange(len(prompts))  # which of the prompts are still here
        self.padding = mask_padding(model, self.lengths, self.width)
        rows = len(prompts) * model.key_heads * group
        empty = torch.zeros(rows, 0, model.size, dtype=model.dtype)
        self.own = [(empty, empty) for _ in model.layers]
        self.later = torch.zeros(0, dtype=model.dtype)

    def write(self, limit: int, ends: torch.Tensor, temperature: float, on_token) -> list[Ids]:
        """Every prompt's replies."""
        tokens = torch.tensor(self.last).repeat_interleave(self.group)
        written = torch.zeros(len(tokens), limit, dtype=torch.long)
        lengths = torch.zeros(len(tokens), dtype=torch.long)
        members = torch.arange(self.group)
        ended = torch.zeros(len(tokens), dtype=torch.bool)
        for step in range(limit):
            tokens = self._draw(self._step(tokens, step), temperature)
            rows = (self.numbers[:, None] * self.group + members).flatten()
            going = rows[~ended]
            written[going, step] = tokens[~ended]
            lengths[going] = step + 1
            ended |= torch.isin(tokens, ends)
            on_token(step + 1)
            full = (~ended).view(-1, self.group).any(dim=1)
            if not full.any():
                break
            if full.sum() < FULL * len(full):
                self._keep(full)
                chosen = full.repeat_interleave(self.group)
                tokens, ended = tokens[chosen], ended[chosen]
        return [
            row[:length].tolist() for row, length in zip(written, lengths.tolist(), strict=True)
        ]

    @staticmethod
    def _draw(logits: torch.Tensor, temperature: float) -> torch.Tensor:
        if not temperature:
            return logits.argmax(-1)
        # torch.multinomial draws a random number for every token of the vocabulary, this one for every reply.
        sums = (logits / temperature).softmax(-1).double().cumsum(-1)
        drawn = torch.rand(len(sums), 1, dtype=sums.dtype) * sums[:, -1:]
        return torch.searchsorted(sums, drawn, right=True)[:, 0].clamp(max=sums.shape[1] - 1)

    def _keep(self, full: torch.Tensor) -> None:
        """Forget all prompts but these."""
        keys = self.model.key_heads
        rows = full.repeat_interleave(keys).nonzero()[:, 0]
        own = full.repeat_interleave(keys * self.group).nonzero()[:, 0]
        self.cache = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.cache]
        self.own = [(k.index_select(0, own), v.index_select(0, own)) for k, v in self.own]
        self.lengths, self.numbers = self.lengths[full], self.numbers[full]
        self.padding = self.padding[rows]

    def _grow(self) -> None:
        """Room for another block of tokens."""

        def extend(rows: torch.Tensor) -> torch.Tensor:
            return torch.cat([rows, rows.new_zeros(len(rows), BLOCK, rows.shape[2])], dim=1)

        self.own = [(extend(k), extend(v)) for k, v in self.own]
        low = torch.finfo(self.model.dtype).min
        self.later = torch.cat([self.later, self.later.new_full((BLOCK,), low)])

    def _step(self, tokens: torch.Tensor, step: int) -> torch.Tensor:
        """Logits of what follows the tokens (rows,), which are the replies' tokens number ``step``."""
        model, group = self.model, self.group
        heads, keys, shared, size = model.heads, model.key_heads, model.shared, model.size
        if step % BLOCK == 0:
            self._grow()
        self.later[step] = 0
        prompts = len(self.numbers)
        later = self.later.expand(shared, -1)
        angles = model.angles((self.lengths + step).repeat_interleave(group))
        x = embedding(tokens, model.embedding)
        for layer, (k, v), (own_k, own_v) in zip(model.layers, self.cache, self.own, strict=True):
            joined = model.project(layer, x)
            turned = turn(joined[:, : heads + keys], angles)
            # (prompt, reply, key head, ..) -> (prompt, key head, reply, ..)
            q = turned[:, :heads].reshape(prompts, group, keys, shared, size).transpose(1, 2)
            q = q.reshape(prompts * keys, group * shared, size).contiguous()
            for place, new in ((own_k, turned[:, heads:]), (own_v, joined[:, heads + keys :])):
                place.view(prompts, keys, group, -1, size)[:, :, :, step] = new.view(
                    prompts, group, keys, size
                ).transpose(1, 2)
            output = attend_shared(q, own_k, own_v, (k, v), self.padding, later, group)
            output = output.view(prompts, keys, group, shared, size).transpose(1, 2)
            x = model.finish(layer, x, output.reshape(len(tokens), -1))
        return model.logits(x)
