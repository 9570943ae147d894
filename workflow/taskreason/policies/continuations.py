"""What a model could write: its own probabilities of the tokens after many prefixes of many replies.

Prompts are read once. :meth:`Continuations.follow` goes on from prefixes of their replies, token by token to the end,
by the likeliest token or by drawing one, and returns with each token the likeliest ones beside it and the probabilities
of all of these. A search over replies (:mod:`taskreason.theory.search`) needs no more of a model. Small models on a CPU
are computed in :mod:`taskreason.policies.fused_continuations`, all others here by transformers.

Probabilities are those of the fp32 model, with the softmax in fp64, so that they add up to 1 at every token.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from taskreason.policies.batch import Ids

BRANCHES = 32
"""Likeliest tokens that are returned at each place."""
FULL = 0.8
"""Below this share of prompts with unfinished replies the others leave the batch."""
Start = tuple[int, Ids]
"""The number of a prompt, and the tokens with which its reply begins."""
Barred = Callable[[int, Ids], bool]
"""Of the place of a start, and a beginning of a reply that goes on from it: whether nobody asks for such a reply."""


@dataclass(frozen=True)
class Path:
    """What was written after a prefix.

    tokens: up to the end, with the token that ends the reply where there is one; own: the probability of each.
    likely, chances: the likeliest tokens at each place and their probabilities, both (tokens, BRANCHES).
    """

    tokens: Ids
    own: np.ndarray
    likely: np.ndarray
    chances: np.ndarray


class Continuations(ABC):
    """Replies to some prompts. limit: tokens at most; ends: tokens that end one; rows: replies side by side at most."""

    def __init__(
        self,
        prompts: Sequence[Ids],
        limit: int,
        ends: Collection[int],
        temperature: float,
        rows: int,
    ):
        self.prompts, self.limit, self.ends = list(prompts), limit, frozenset(ends)
        self.temperature, self.rows = temperature, rows

    @torch.inference_mode()
    def follow(
        self, starts: Sequence[Start], draw: bool = False, barred: Barred | None = None
    ) -> list[Path]:
        """Go on from each start to the end of the reply by the likeliest tokens that are not barred, if any is not.

        draw: by drawing tokens instead, from torch's generator. No start is a finished reply.
        """
        wanted: dict[int, list[int]] = {}
        for place, (number, _) in enumerate(starts):
            wanted.setdefault(number, []).append(place)
        groups = [
            (number, places[first : first + self.rows])
            for number, places in wanted.items()
            for first in range(0, len(places), self.rows)
        ]
        # Prompts with like numbers of replies, and so few empty rows, share a batch.
        groups.sort(key=lambda part: -len(part[1]))
        found: dict[int, Path] = {}
        while groups:
            size = max(1, self.rows // len(groups[0][1]))
            chosen, groups = groups[:size], groups[size:]
            found |= self._follow_batch(chosen, starts, draw, barred)
        return [found[place] for place in range(len(starts))]

    def _follow_batch(
        self,
        groups: list[tuple[int, list[int]]],
        starts: Sequence[Start],
        draw: bool,
        barred: Barred | None,
    ) -> dict[int, Path]:
        group = len(groups[0][1])
        places = [p for _, own in groups for p in [*own, *[-1] * (group - len(own))]]
        prefixes = [starts[place][1] if place >= 0 else [] for place in places]
        numbers = [number for number, _ in groups]
        logits = self._begin(numbers, prefixes, group)
        names = np.array(places)
        written = torch.tensor([len(prefix) for prefix in prefixes], device=logits.device)
        ended = torch.tensor([place < 0 for place in places], device=logits.device)
        ends = torch.tensor(sorted(self.ends), dtype=torch.long, device=logits.device)
        steps: dict[int, list[tuple]] = {place: [] for place in places if place >= 0}
        begun = {place: list(starts[place][1]) for place in steps}
        while True:
            chances = (logits.double() / self.temperature).softmax(-1)
            top = chances.topk(min(BRANCHES, chances.shape[-1]))
            tokens = torch.multinomial(chances, 1)[:, 0] if draw else top.indices[:, 0].clone()
            live = (~ended).cpu().numpy()
            if barred:
                for row in live.nonzero()[0]:
                    place = names[row]
                    free = (
                        t
                        for t in top.indices[row].tolist()
                        if not barred(place, [*begun[place], t])
                    )
                    tokens[row] = next(free, int(tokens[row]))
                    begun[place].append(int(tokens[row]))
            own = chances.gather(1, tokens[:, None])[:, 0]
            columns = (tokens, own, top.indices, top.values)
            for place, *step in zip(
                names[live], *(c.cpu().numpy()[live] for c in columns), strict=True
            ):
                steps[place].append(step)
            written += 1
            ended |= torch.isin(tokens, ends) | (written >= self.limit)
            full = (~ended).view(-1, group).any(dim=1)
            if not full.any():
                break
            if full.sum() < FULL * len(full):
                self._keep(full)
                rows = full.repeat_interleave(group)
                names, tokens = names[rows.cpu().numpy()], tokens[rows]
                written, ended = written[rows], ended[rows]
            logits = self._step(tokens)
        return {place: _join(rows) for place, rows in steps.items()}

    @abstractmethod
    def _begin(self, numbers: Sequence[int], prefixes: Sequence[Ids], group: int) -> torch.Tensor:
        """Logits (rows, vocabulary) after the prefixes, of which each of the prompts has ``group`` in a row."""

    @abstractmethod
    def _step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits after one more token in every row."""

    @abstractmethod
    def _keep(self, full: torch.Tensor) -> None:
        """Forget all of the batch's prompts but these."""


def _join(steps: list[tuple]) -> Path:
    tokens, own, likely, chances = zip(*steps, strict=True)
    return Path([*map(int, tokens)], np.array(own), np.array(likely), np.array(chances))


class CachedContinuations(Continuations):
    """Computed by transformers, with a key-value cache of the prompts."""

    @torch.inference_mode()
    def __init__(self, model: PreTrainedModel, prompts: Sequence[Ids], *settings):
        super().__init__(prompts, *settings)
        self.model = model
        ids, self.mask = self._pad([prompt[:-1] for prompt in prompts])
        self.cache = DynamicCache(config=model.config)
        self._run(ids, self.mask, (self.mask.cumsum(-1) - 1).clamp(min=0), self.cache)

    def _pad(self, lines: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of lines that end together."""
        width = max(map(len, lines))
        rows = [
            ([0] * (width - len(line)) + line, [0] * (width - len(line)) + [1] * len(line))
            for line in lines
        ]
        ids, mask = (
            torch.tensor(part, device=self.model.device) for part in zip(*rows, strict=True)
        )
        return ids, mask

    def _run(self, ids, mask, positions, cache) -> torch.Tensor:
        options = {"past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
        found = self.model(ids, attention_mask=mask, position_ids=positions, **options)
        return found.logits[:, -1]

    def _begin(self, numbers, prefixes, group):
        owners = [number for number in numbers for _ in range(group)]
        lines = [[self.prompts[n][-1], *prefix] for n, prefix in zip(owners, prefixes, strict=True)]
        chosen = torch.tensor(owners, device=self.model.device)
        ids, mask = self._pad(lines)
        self._group, self._cache = group, copy.deepcopy(self.cache)
        self._cache.batch_select_indices(chosen)
        before = self.mask[chosen]
        self._mask = torch.cat([before, mask], dim=1)
        positions = before.sum(-1, keepdim=True) + (mask.cumsum(-1) - 1).clamp(min=0)
        return self._run(ids, self._mask, positions, self._cache)

    def _step(self, tokens):
        positions = self._mask.sum(-1, keepdim=True)
        self._mask = torch.cat([self._mask, torch.ones_like(positions)], dim=1)
        return self._run(tokens[:, None], self._mask, positions, self._cache)

    def _keep(self, full):
        rows = full.repeat_interleave(self._group)
        self._cache.batch_select_indices(rows.nonzero()[:, 0])
        self._mask = self._mask[rows]
