"""What a small model on a CPU could write, by :mod:`taskreason.policies.fused`.

The part of :mod:`taskreason.policies.continuations` that computes logits. Prompts are read once and their keys and
values kept; prefixes of a batch are read in one pass, filled up to the longest, and go on token by token from there.
"""

from collections.abc import Sequence

import torch
from torch.nn.functional import embedding

from taskreason.policies.batch import Ids, mask_padding, round_up
from taskreason.policies.continuations import Continuations
from taskreason.policies.fused import FusedModel, attend_shared, turn
from taskreason.policies.prompt_cache import read_prompts

BLOCK = 16
"""Tokens by which the room for replies grows."""


class FusedContinuations(Continuations):
    """Computed by :mod:`taskreason.policies.fused`; rows of keys and values
    are sorted by prompt, key head and reply.
    """

    @torch.inference_mode()
    def __init__(self, model: FusedModel, prompts: Sequence[Ids], *settings):
        super().__init__(prompts, *settings)
        self.model = model
        self.lengths = torch.tensor([len(prompt) - 1 for prompt in prompts])
        self.width = round_up(int(self.lengths.max()))
        # The prompt's last token goes with each reply, whose first token it predicts.
        self.cache = read_prompts(model, [prompt[:-1] for prompt in prompts])

    def _begin(self, numbers, prefixes, group):
        model, keys = self.model, self.model.key_heads
        chosen = torch.tensor(numbers)
        lines = (chosen[:, None] * keys + torch.arange(keys)).flatten()
        self._prompts = [(k[lines], v[lines]) for k, v in self.cache]
        self._lengths, self._group = self.lengths[chosen], group
        self._padding = mask_padding(model, self._lengths, self.width)
        lasts = [self.prompts[number][-1] for number in numbers for _ in range(group)]
        lines = [[last, *prefix] for last, prefix in zip(lasts, prefixes, strict=True)]
        self._sizes = torch.tensor([*map(len, lines)])
        self._read = self._used = int(self._sizes.max())
        ids = torch.tensor([line + [0] * (self._read - len(line)) for line in lines])
        empty = torch.zeros(len(lines) * keys, 0, model.size, dtype=model.dtype)
        self._own = [(empty, empty) for _ in model.layers]
        self._room = 0
        self._grow(self._read + BLOCK)
        across = torch.arange(self._room)
        shown = across <= torch.arange(self._read)[:, None]
        hidden = self._pass(
            ids, torch.arange(self._read)[None], shown.expand(len(lines), -1, -1), 0
        )
        lasts = hidden.view(len(lines), self._read, -1)[torch.arange(len(lines)), self._sizes - 1]
        return model.logits(lasts)

    def _step(self, tokens):
        if self._used == self._room:
            self._grow(BLOCK)
        across = torch.arange(self._room)
        # What fills up the shorter prefixes stays hidden.
        shown = (across < self._sizes[:, None]) | ((across >= self._read) & (across <= self._used))
        after = self._sizes[:, None] + self._used - self._read
        hidden = self._pass(tokens[:, None], after, shown[:, None], self._used)
        self._used += 1
        return self.model.logits(hidden)

    def _grow(self, tokens: int) -> None:
        def extend(rows: torch.Tensor) -> torch.Tensor:
            return torch.cat([rows, rows.new_zeros(len(rows), tokens, rows.shape[2])], dim=1)

        self._own = [(extend(k), extend(v)) for k, v in self._own]
        self._room += tokens

    def _keep(self, full):
        keys = self.model.key_heads
        lines = full.repeat_interleave(keys)
        rows, own = full.repeat_interleave(self._group), lines.repeat_interleave(self._group)
        self._prompts = [(k[lines], v[lines]) for k, v in self._prompts]
        self._own = [(k[own], v[own]) for k, v in self._own]
        self._lengths, self._sizes = self._lengths[full], self._sizes[rows]
        self._padding = self._padding[lines]

    def _pass(
        self, ids: torch.Tensor, steps: torch.Tensor, shown: torch.Tensor, used: int
    ) -> torch.Tensor:
        """Hidden states (rows x new, hidden size) of new tokens ``ids`` (rows, new).

        steps (rows or 1, new): their places in the replies, the prompt's last token at 0; shown (rows, new, room): what
        each sees of its reply; used: places of the reply's keys and values that are taken.
        """
        model, group = self.model, self._group
        heads, keys, shared, size = model.heads, model.key_heads, model.shared, model.size
        prompts, new = len(self._lengths), ids.shape[1]
        positions = self._lengths.repeat_interleave(group)[:, None] + steps
        angles = model.angles(positions.flatten())
        bias = torch.zeros(shown.shape, dtype=model.dtype)
        bias.masked_fill_(~shown, torch.finfo(model.dtype).min)
        bias = bias.view(prompts, 1, group, 1, new, -1).expand(-1, keys, -1, shared, -1, -1)
        bias = bias.reshape(prompts * keys * group, shared * new, -1)
        x = embedding(ids.flatten(), model.embedding)
        for layer, prompt, own in zip(model.layers, self._prompts, self._own, strict=True):
            joined = model.project(layer, x)
            turned = turn(joined[:, : heads + keys], angles)
            q = turned[:, :heads].reshape(prompts, group, new, keys, shared, size)
            q = q.permute(0, 3, 1, 4, 2, 5).reshape(prompts * keys, -1, size)
            for store, rows in zip(
                own, (turned[:, heads:], joined[:, heads + keys :]), strict=True
            ):
                places = store.view(prompts, keys, group, -1, size)[:, :, :, used : used + new]
                places.copy_(rows.reshape(prompts, group, new, keys, size).permute(0, 3, 1, 2, 4))
            seen = attend_shared(q, *own, prompt, self._padding, bias, group)
            seen = seen.view(prompts, keys, group, shared, new, size).permute(0, 2, 4, 1, 3, 5)
            x = model.finish(layer, x, seen.reshape(len(x), -1))
        return x
