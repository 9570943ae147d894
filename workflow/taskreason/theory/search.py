"""Completions of one prompt as a tree: which are finished, with their exact probabilities, and how much is still open.

A node is a sequence of tokens. Whatever a model has written (:class:`taskreason.policies.continuations.Path`) expands
every node along it: the likeliest tokens beside the written ones become open nodes with the probability that the model
gives them. A completion that is finished adds its probability to the action that its text names. What is not finished
names nobody knows what, so of any action

    finished mass  <=  probability  <=  finished mass + 1 - all finished mass.

The sum over all ways to split a text into tokens is implied, since nodes are tokens and actions are read off texts.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from taskreason.environments.reply import read_action
from taskreason.policies.batch import Ids
from taskreason.policies.continuations import Path

WIDTH = 6
"""Nodes of one tree that are expanded at once."""
FLOOR = 1e-7
"""Nodes less likely than this are not kept; their mass stays unfinished for good."""


class Tree:
    """Completions that begin with ``root``, whose probability counts as 1.

    limit: tokens of a whole completion at most, the root's included; ends: tokens that end one; decode: ids to text.
    finished: mass by named action, "" for none; examples: a completion of each, as text; paths: how many were added.
    """

    def __init__(self, root: Ids, limit: int, ends: frozenset[int], decode: Callable[[Ids], str]):
        self.root, self.limit, self.ends, self.decode = tuple(root), limit, ends, decode
        self.finished: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.paths = 0
        self._open: list[tuple[float, tuple[int, ...]]] = []
        self._put(self.root, 1.0)

    @property
    def unfinished(self) -> float:
        """Probability of all that is not finished."""
        return max(0.0, 1.0 - self.finished.total())

    @property
    def is_exhausted(self) -> bool:
        """Whether no node is left to expand."""
        return not self._open

    @property
    def known_open(self) -> float:
        """Probability of the nodes from which a search can go on; what else is unfinished was too unlikely to keep."""
        return min(-sum(mass for mass, _ in self._open), self.unfinished)

    def pop(self, number: int) -> list[tuple[float, Ids]]:
        """Take the likeliest open nodes out, with their masses; each has to come back by :meth:`add`."""
        number = min(number, len(self._open))
        taken = [heapq.heappop(self._open) for _ in range(number)]
        return [(-mass, list(ids)) for mass, ids in taken]

    def draw(self, number: int, rng: np.random.Generator) -> list[Ids]:
        """Open nodes drawn with their probabilities, with repetitions; they stay in the tree."""
        masses = np.array([-mass for mass, _ in self._open])
        chosen = rng.choice(len(masses), size=number, p=masses / masses.sum())
        return [list(self._open[place][1]) for place in chosen]

    def add(self, mass: float, prefix: Ids, path: Path) -> None:
        """Expand every node along a path that starts at a node which was popped, or at the root while that is new."""
        self.paths += 1
        ids = tuple(prefix)
        for token, own, likely, chances in zip(
            path.tokens, path.own, path.likely, path.chances, strict=True
        ):
            kept = (mass * chances >= FLOOR) & (likely != token)
            for other, chance in zip(likely[kept], chances[kept], strict=True):
                self._put((*ids, int(other)), mass * float(chance))
            mass *= float(own)
            ids = (*ids, token)
        self._put(ids, mass)

    def _put(self, ids: tuple[int, ...], mass: float) -> None:
        """A new node, which is finished where nothing can follow it."""
        ended = len(ids) > 0 and ids[-1] in self.ends
        if ended or len(ids) >= self.limit:
            text = self.decode(list(ids))
            action = read_action(text)
            self.finished[action] += mass
            self.examples.setdefault(action, text)
        else:
            heapq.heappush(self._open, (-mass, ids))


class Search:
    """Trees of many prompts, expanded side by side.

    follow: goes on from (number of a prompt, prefix), as :meth:`taskreason.policies.continuations.Continuations.follow`
    does. coverage: probability that is to be finished in a tree.
    """

    def __init__(self, follow: Callable[[Sequence[tuple[int, Ids]]], list[Path]], coverage: float):
        self.follow, self.coverage = follow, coverage

    def is_done(self, tree: Tree) -> bool:
        """Whether as much is finished as was asked for, or nothing is left to expand."""
        return tree.unfinished <= 1 - self.coverage or tree.is_exhausted

    def run(
        self, trees: Sequence[tuple[int, Tree]], paths: int, patience: float = 0.0
    ) -> Iterator[int]:
        """Expand the likeliest nodes of each tree, given with the number of its prompt, until it is done.

        A tree is left before that when it has ``paths`` paths, or when the last of them have each finished less than a
        share ``patience`` of what was open. Yields after every round how many trees are still expanded.
        """
        going = [part for part in trees if not self.is_done(part[1]) and part[1].paths < paths]
        while going:
            # The first path starts at the root, where there is nothing else.
            popped = [tree.pop(min(WIDTH, paths - tree.paths)) for _, tree in going]
            starts = [
                (number, ids)
                for (number, _), nodes in zip(going, popped, strict=True)
                for _, ids in nodes
            ]
            written = iter(self.follow(starts))
            left = []
            for (number, tree), nodes in zip(going, popped, strict=True):
                before = tree.unfinished
                for mass, ids in nodes:
                    tree.add(mass, ids, next(written))
                gain = (before - tree.unfinished) / before / len(nodes)
                if gain >= patience and tree.paths < paths and not self.is_done(tree):
                    left.append((number, tree))
            going = left
            yield len(going)
