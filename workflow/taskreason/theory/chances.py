"""p(s), the chance that a sampled reply names an action, from the model's own probabilities.

Two ways, chosen state by state by what they cost:

    enumerated   completions are listed, the likeliest first, until 99.9 % of the probability is finished. What is left
                 gives bounds that are certain: nothing was drawn.
    drawn        where thoughts are too many to be listed, the listed part stays and the rest is estimated: completions
                 are drawn from it, and each is cut where its thought ends. Given that thought, the chance of every
                 action is enumerated as above. Their mean is unbiased, whatever the cut is, as long as it depends on
                 nothing behind it (the law of total expectation), and varies less than actions that are drawn, too.

An example of the second: 20 paths have finished 0.7, 0.65 of it with the expert's action. Of ten thoughts drawn from
the open 0.3, the chances of the action have the mean 0.6. Then p(s) is about 0.65 + 0.3 x 0.6 = 0.83, and its standard
error is 0.3 times that of the mean.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

import numpy as np

from taskreason.config.groups import Theory
from taskreason.durability.progress import LONG, Progress
from taskreason.policies.batch import Ids
from taskreason.policies.continuations import Barred, Path, Start
from taskreason.theory.search import Search, Tree, find_cut

ENUMERATED, DRAWN = "enumerated", "drawn"
ACTION_PATHS = 8
"""Ways on from one drawn thought that are listed at most."""
FEWEST = 4
"""Thoughts that are drawn at least where any are."""
FEW = 0.5
"""Where less than this share of the replies is listed, thoughts are drawn from all of them: the list takes little off
the error, and what it gave up as too unlikely would stay unknown."""


class Writer(Protocol):
    """What is asked of a model: :class:`taskreason.policies.continuations.Continuations`."""

    limit: int
    ends: frozenset[int]

    def follow(
        self, starts: Sequence[Start], draw: bool = False, barred: Barred | None = None
    ) -> list[Path]:
        """Go on from the prefixes to the end."""


@dataclass
class Chances:
    """What is known of the replies to one prompt.

    finished: probability of each wanted action in listed completions. open: of what is not finished and was drawn
    from; lost: of what is not finished and was not. drawn: given each drawn thought, the probability of each wanted
    action; unresolved: given it, of completions that were not listed. paths: how many replies were followed in all.
    examples: a reply with each action that was found.
    """

    method: str
    finished: dict[str, float]
    open: float
    lost: float
    paths: int
    examples: dict[str, str]
    drawn: dict[str, list[float]] = field(default_factory=dict)
    unresolved: list[float] = field(default_factory=list)

    def estimate(self, action: str) -> float:
        """A point within the bounds: the action's share of what was resolved."""
        of_drawn = float(np.mean(self.drawn[action])) if self.drawn else 0.0
        unknown = self.lost + self.open * (float(np.mean(self.unresolved)) if self.drawn else 1.0)
        resolved = 1 - unknown
        return (self.finished[action] + self.open * of_drawn) / resolved if resolved > 0 else 0.0

    def describe(self) -> dict[str, Any]:
        """As plain values, without the examples."""
        return {key: value for key, value in vars(self).items() if key != "examples"}


def find_chances(
    writer: Writer,
    wanted: Sequence[Collection[str]],
    decode: Callable[[Ids], str],
    theory: Theory,
    rng: np.random.Generator,
) -> list[Chances]:
    """The chances of the wanted actions at each of the writer's prompts.

    decode: token ids to text. Draws come from ``rng`` and torch's generator.
    """
    search = Search(writer.follow, theory.coverage)
    trees = [Tree([], writer.limit, writer.ends, decode, actions) for actions in wanted]
    # A path more is worth it while it finishes a larger share of what is open than a thought more would take off the
    # standard error, which falls with the root of their number.
    patience = 1 / (2 * theory.thoughts)
    progress = Progress("states", len(trees), "enumerated", LONG)
    for left in search.run(list(enumerate(trees)), theory.paths, patience):
        progress.show(len(trees) - left)
    found = [
        Chances(ENUMERATED, _choose(tree, actions), 0.0, tree.unfinished, tree.paths, tree.examples)
        for tree, actions in zip(trees, wanted, strict=True)
    ]
    rest = [n for n, tree in enumerate(trees) if not search.is_done(tree)]
    for n in rest:
        if trees[n].unfinished > 1 - FEW:
            trees[n] = Tree([], writer.limit, writer.ends, decode, wanted[n])
            found[n].finished = _choose(trees[n], wanted[n])
    number = [max(FEWEST, ceil(theory.thoughts * trees[n].unfinished)) for n in rest]
    owners = [n for n, times in zip(rest, number, strict=True) for _ in range(times)]
    thoughts = _draw_thoughts(writer, trees, dict(zip(rest, number, strict=True)), rng)
    behind = list(zip(owners, thoughts, strict=True))
    progress = Progress("drawn thoughts", len(behind), "continued", LONG)
    for left in search.run(behind, ACTION_PATHS, steer=True, width=1):
        progress.show(len(behind) - left)
    for n in rest:
        own = [tree for owner, tree in zip(owners, thoughts, strict=True) if owner == n]
        given = [_choose(tree, wanted[n]) for tree in own]
        known, tree = found[n], trees[n]
        known.method, known.open = DRAWN, tree.known_open
        known.lost = max(0.0, tree.unfinished - tree.known_open)
        known.drawn = {action: [chances[action] for chances in given] for action in wanted[n]}
        known.unresolved = [tree.unfinished for tree in own]
        known.paths += sum(tree.paths for tree in own)
        for part in own:
            known.examples = part.examples | known.examples
    return found


def _choose(tree: Tree, actions: Collection[str]) -> dict[str, float]:
    return {action: tree.finished[action] for action in actions}


def _draw_thoughts(
    writer: Writer, trees: Sequence[Tree], numbers: dict[int, int], rng: np.random.Generator
) -> list[Tree]:
    """Trees of what may follow thoughts that are drawn from the open part of a tree; numbers: of them, by the tree's.

    What was drawn behind the thought is their first path: it costs nothing more.
    """
    starts = [(n, ids) for n, number in numbers.items() for ids in trees[n].draw(number, rng)]
    written = writer.follow(starts, draw=True) if starts else []
    thoughts = []
    for (n, prefix), path in zip(starts, written, strict=True):
        ids = [*prefix, *path.tokens]
        cut = max(len(prefix), find_cut(ids, trees[n].decode))
        tree = Tree(ids[:cut], writer.limit, writer.ends, trees[n].decode, trees[n].wanted)
        if cut < len(ids):
            ((mass, root),) = tree.pop(1)
            parts = (path.tokens, path.own, path.likely, path.chances)
            tree.add(mass, root, Path(*(part[cut - len(prefix) :] for part in parts)))
        thoughts.append(tree)
    return thoughts
