"""Completions of one prompt as a tree: which are finished, with their exact probabilities, and how much is still open.

A node is a sequence of tokens. Whatever a model has written (:class:`taskreason.policies.continuations.Path`) expands
every node along it: the likeliest tokens beside the written ones become open nodes with the probability that the model
gives them. A completion that is finished adds its probability to the action that its text names. What is not finished
names nobody knows what, so of any action

    finished mass  <=  probability  <=  finished mass + 1 - all finished mass.

The sum over all ways to split a text into tokens is implied, since nodes are tokens and actions are read off texts.
Where the line of the action has begun and can't become that of a wanted one any more, a node is not followed: it counts
as finished with another action. (A mark that ends a model's thinking, behind such a line, would begin the answer anew;
that no reply of these has one is the one thing that is taken for granted.)
"""

import heapq
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from taskreason.environments.reply import read_action, read_answer, trim
from taskreason.policies.batch import Ids
from taskreason.policies.continuations import Path

WIDTH = 6
"""Nodes of one tree that are expanded at once, where nothing else is said."""
FLOOR = 1e-8
"""Nodes less likely than this are not kept; their mass stays unfinished for good."""
SETTLED = 1e-6
"""Of nodes less likely than this nobody asks whether their action is settled, which takes time."""
ACTION = re.compile(r"^Action:([^\n]*)(\n?)", re.MULTILINE)
OTHER = "\nanother"
"""Stands for the action of replies that name none of the wanted ones; no action has a line end."""


def settle_action(text: str, wanted: Collection[str]) -> str | None:
    """What every reply that begins with a text names, a wanted action or ``OTHER``; None where that is open."""
    line = ACTION.search(read_answer(text))
    if line is None or text.endswith("\ufffd"):  # a letter of which some bytes are missing
        return None
    begun = trim(line[1])
    if line[2]:
        return begun if begun in wanted else OTHER
    possible = any(action.startswith(begun) or begun.startswith(action) for action in wanted)
    return None if possible else OTHER


def find_cut(ids: Ids, decode: Callable[[Ids], str]) -> int:
    """The first tokens of a reply after which its text begins a line of action; all of them where none does.

    Whether a beginning has such a line is told by that beginning alone, as an unbiased estimate needs it.
    """
    return bisect_left(
        range(len(ids)), True, key=lambda length: ACTION.search(decode(ids[:length])) is not None
    )


class Node(NamedTuple):
    """A beginning of a reply: the first ``length`` of some tokens, which many nodes share, and then ``token``.

    Sorted by ``cost``, the negative of its probability, and in the order in which nodes were made.
    """

    cost: float
    number: int
    ids: tuple[int, ...]
    length: int
    token: int

    def list_tokens(self) -> Ids:
        """The whole beginning; the root, which is all of its tokens, has no token of its own."""
        return [*self.ids[: self.length], *([self.token] if self.token >= 0 else [])]


class Tree:
    """Completions that begin with ``root``, whose probability counts as 1.

    limit: tokens of a whole completion at most, the root's included; ends: tokens that end one; decode: ids to text;
    wanted: actions that are asked about. finished: mass by named action, "" for none; examples: a completion of each,
    as text; paths: how many were added.
    """

    def __init__(
        self,
        root: Ids,
        limit: int,
        ends: frozenset[int],
        decode: Callable[[Ids], str],
        wanted: Collection[str],
    ):
        self.limit, self.ends, self.decode, self.wanted = limit, ends, decode, wanted
        self.finished: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.paths = 0
        self._open: list[Node] = []
        self._made = 0
        if self._is_end(len(root), root[-1] if root else None):
            self._finish(root, 1.0)
        else:
            self._open.append(Node(-1.0, 0, tuple(root), len(root), -1))

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
        return min(-sum(node.cost for node in self._open), self.unfinished)

    def pop(self, number: int) -> list[tuple[float, Ids]]:
        """Take the likeliest open nodes out, with their masses; each has to come back by :meth:`add`."""
        taken = [heapq.heappop(self._open) for _ in range(min(number, len(self._open)))]
        return [(-node.cost, node.list_tokens()) for node in taken]

    def draw(self, number: int, rng: np.random.Generator) -> list[Ids]:
        """Open nodes drawn with their probabilities, with repetitions; they stay in the tree."""
        masses = np.array([-node.cost for node in self._open])
        chosen = rng.choice(len(masses), size=number, p=masses / masses.sum())
        return [self._open[place].list_tokens() for place in chosen]

    def add(self, mass: float, prefix: Ids, path: Path) -> None:
        """Expand every node along a path that starts at a node that was popped."""
        self.paths += 1
        whole = (*prefix, *path.tokens)
        cut = find_cut(list(whole), self.decode)
        steps = zip(path.tokens, path.own, path.likely, path.chances, strict=True)
        for length, (token, own, likely, chances) in enumerate(steps, start=len(prefix)):
            kept = (mass * chances >= FLOOR) & (likely != token)
            for other, chance in zip(likely[kept].tolist(), chances[kept].tolist(), strict=True):
                if self._is_end(length + 1, other):
                    self._finish([*whole[:length], other], mass * chance)
                elif (
                    length >= cut
                    and mass * chance >= SETTLED
                    and (action := self.settle([*whole[:length], other])) is not None
                ):
                    self.finished[action] += mass * chance
                else:
                    self._made += 1
                    node = Node(-mass * chance, self._made, whole, length, other)
                    heapq.heappush(self._open, node)
            mass *= float(own)
        self._finish(list(whole), mass)

    def _is_end(self, length: int, token: int | None) -> bool:
        """Whether nothing can follow a beginning of so many tokens, the last of which is this."""
        return length >= self.limit or token in self.ends

    def settle(self, ids: Ids) -> str | None:
        """What every completion that begins with these tokens names; see :func:`settle_action`."""
        return settle_action(self.decode(ids), self.wanted)

    def _finish(self, ids: Ids, mass: float) -> None:
        text = self.decode(ids)
        action = read_action(text)
        self.finished[action] += mass
        self.examples.setdefault(action, text)


class Search:
    """Trees of many prompts, expanded side by side.

    follow: :meth:`taskreason.policies.continuations.Continuations.follow`; coverage: probability that is to be finished
    in a tree.
    """

    def __init__(self, follow: Callable[..., list[Path]], coverage: float):
        self.follow, self.coverage = follow, coverage

    def is_done(self, tree: Tree) -> bool:
        """Whether as much is finished as was asked for, or nothing is left to expand."""
        return tree.unfinished <= 1 - self.coverage or tree.is_exhausted

    def run(
        self,
        trees: Sequence[tuple[int, Tree]],
        paths: int,
        patience: float = 0.0,
        steer: bool = False,
        width: int = WIDTH,
    ) -> Iterator[int]:
        """Expand the likeliest nodes of each tree, given with the number of its prompt, until it is done.

        width: nodes of one tree that are expanded at once.

        A tree is left before that when it has ``paths`` paths, or when the last of them have each finished less than a
        share ``patience`` of what was open. steer: by paths that lead to wanted actions as far as the action is open,
        which pays where the line of the action begins. Yields after every round how many trees are still expanded.
        """
        going = [part for part in trees if not self.is_done(part[1]) and part[1].paths < paths]
        while going:
            # The first path starts at the root, where there is nothing else.
            popped = [tree.pop(min(width, paths - tree.paths)) for _, tree in going]
            starts = [
                (number, ids)
                for (number, _), nodes in zip(going, popped, strict=True)
                for _, ids in nodes
            ]
            owners = [tree for (_, tree), nodes in zip(going, popped, strict=True) for _ in nodes]

            def is_barred(place: int, ids: Ids, owners: list[Tree] = owners) -> bool:
                return owners[place].settle(ids) == OTHER

            written = iter(self.follow(starts, barred=is_barred if steer else None))
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
