"""What the theorems speak of, measured on one policy in worlds that no training saw.

For every world: the chances that replies name the optimal actions, from the model's own probabilities
(:mod:`taskreason.theory.chances`), at each state of the expert's trajectory, at the other states along shortest plans
that the policy gets to, and at states just off them; and, in episodes of their own, how many optimal decisions the
policy makes before its first other one. Policies sample at GRPO's temperature.

One JSON line a world; worlds that are done are kept when a measurement is interrupted.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from taskreason.config.groups import Theory
from taskreason.config.models import Config
from taskreason.durability.files import write_lines
from taskreason.durability.partial_results import PartialResults
from taskreason.durability.progress import follow, say
from taskreason.environments.base import Environment, State, list_plan
from taskreason.environments.reply import read_action, recount
from taskreason.policies import Turn
from taskreason.policies.batch import Ids
from taskreason.policies.generation import GeneratingPolicy
from taskreason.rollouts.episode import Start
from taskreason.theory.chances import Chances, Writer, find_chances
from taskreason.theory.search import WIDTH
from taskreason.theory.theorems import OptimalPaths

LEAST_REACH = 0.005
"""States that are not the expert's and that the policy gets to less often than this are not asked about."""
WORLDS_AT_ONCE = 10
GROUP = 16
"""Replies drawn to a text at once; where fewer are needed, the rest are thrown away."""


class Reader(Protocol):
    """What is measured: :class:`taskreason.policies.reader.Reader`."""

    policy: GeneratingPolicy

    def read(self, texts: list[str]) -> Writer:
        """Replies to these texts, to be gone through."""

    def decode(self, ids: Ids) -> str:
        """The text of a reply's tokens."""


@dataclass
class _Node:
    """A state that may be asked about, with the step that led here. expert: the expert's action, if it gets here.

    reach: how often the policy gets here from the start or from one of the expert's states, past none of the others.
    """

    turn: Turn
    depth: int
    expert: str | None = None
    reach: float = 0.0
    chances: Chances | None = None


class _Case:
    """One world with what is known of it so far.

    nodes: states along shortest plans; strayed: states one wrong step away. lasted: number of optimal decisions before
    another one -> episodes.
    """

    def __init__(self, start: Start, environment: Environment, off_path: int):
        self.world, teacher = start.world, environment.teacher(start.world)
        self.paths = OptimalPaths(start.world, teacher)
        self.plan = list_plan(start.world, teacher)
        self.nodes: dict[State, _Node] = {}
        self.lasted: Counter = Counter()
        before = ""
        for depth, (state, action) in enumerate(self.plan):
            self.nodes[state] = _Node(Turn(self.world, state, before), depth, action, 1.0)
            before = recount(teacher.reply(state), accepted=True)
        self.strayed = self._stray(off_path)

    def follow(self, node: _Node) -> None:
        """Note where the optimal replies at a node lead."""
        for text, after in self.paths.successors(node.turn.state).items():
            chance = node.chances.estimate(text)
            if chance and not self.world.solved(after):
                before = recount(node.chances.examples[text], accepted=True)
                new = _Node(Turn(self.world, after, before), node.depth + 1)
                found = self.nodes.setdefault(after, new)
                if not found.expert:
                    found.reach += node.reach * chance

    def list_nodes(self, depth: int) -> list[_Node]:
        """The nodes at a depth that are to be asked about."""
        nodes = [node for node in self.nodes.values() if node.depth == depth]
        return [node for node in nodes if node.expert or node.reach >= LEAST_REACH]

    def _stray(self, number: int) -> list[_Node]:
        """States one possible, not optimal action away from the expert's, at most ``number``, alike for any policy."""
        rng = random.Random(f"stray {self.world.id}")
        found = []
        for depth, (state, _) in enumerate(self.plan):
            optimal, possible = self.paths.successors(state), self.world.actions(state)
            for action in rng.sample(possible, min(3, len(possible))):
                after = self.world.step(state, action)
                new = action not in optimal and after not in self.nodes
                if new and self.paths.successors(after):
                    before = recount(f"Action: {action}", accepted=True)
                    found.append(_Node(Turn(self.world, after, before), depth + 1))
                    break
        return sorted(rng.sample(found, min(number, len(found))), key=lambda node: node.depth)

    def describe(self) -> dict[str, Any]:
        """One line of the file.

        states: along shortest plans, the start first. Each has its depth, the expert's action (null off its
        trajectory), the optimal actions with the number of the state that each leads to (null: the goal; -1: a state
        that was not asked about), and what is known of their chances (:class:`taskreason.theory.chances.Chances`).
        off_path: states one wrong step away. rollouts: number of optimal decisions before another one -> episodes;
        optimal_steps of them are success.
        """
        asked = sorted((n for n in self.nodes.values() if n.chances), key=lambda node: node.depth)
        numbers = {node.turn.state: n for n, node in enumerate(asked)}
        states, off_path = [], []
        for node in asked:
            after = self.paths.successors(node.turn.state).items()
            optimal = {
                text: None if self.world.solved(state) else numbers.get(state, -1)
                for text, state in after
            }
            known = {"depth": node.depth, "expert": node.expert, "optimal": optimal}
            states.append(known | {"chances": node.chances.describe()})
        for node in self.strayed:
            optimal = list(self.paths.successors(node.turn.state))
            known = {"depth": node.depth, "optimal": optimal}
            off_path.append(known | {"chances": node.chances.describe()})
        return {
            "layout_hash": self.world.id,
            "optimal_steps": len(self.plan),
            "states": states,
            "off_path": off_path,
            "rollouts": {str(steps): times for steps, times in sorted(self.lasted.items())},
        }


def measure(reader: Reader, starts: Sequence[Start], cfg: Config, path: Path) -> None:
    """Write one line a world to ``path``; resumes from ``path`` + ``.partial``."""
    theory, seed = cfg.theory, cfg.seed
    partial = PartialResults(path.with_name(path.name + ".partial"), f"{theory} {seed}")
    found = {row["layout_hash"]: row for row in partial.read()}
    partial.begin(found.values())
    rows: list[dict[str, Any]] = []
    for first in range(0, len(starts), WORLDS_AT_ONCE):
        chosen = starts[first : first + WORLDS_AT_ONCE]
        part = [found.get(start.world.id) for start in chosen]
        if None in part:
            # Each part draws from its own seed, so that an interrupted measurement ends as an undisturbed one.
            torch.manual_seed(1_000_003 * seed + first)
            rng = np.random.default_rng([seed, first])
            part = measure_worlds(reader, chosen, theory, cfg.env, rng)
            partial.add(*part)
        rows += part
        say(f"{path.stem}: {len(rows)}/{len(starts)} {cfg.env.worlds}")
    write_lines(path, rows)
    partial.remove()


def measure_worlds(
    reader: Reader,
    starts: Sequence[Start],
    theory: Theory,
    environment: Environment,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """What is measured in each world, as plain values (see :meth:`_Case.describe`)."""
    cases = [
        _Case(start, environment, theory.off_path)
        for start in follow(starts, "the expert's plans", len(starts), environment.worlds)
    ]
    # The expert's states and those off its path are known beforehand, and all asked about together.
    known = [(case, node) for case in cases for node in (*case.nodes.values(), *case.strayed)]
    _ask(reader, known, theory, rng)
    # Other states along shortest plans are found from the start on.
    for depth in range(max(len(case.plan) for case in cases)):
        chosen = [(case, node) for case in cases for node in case.list_nodes(depth)]
        _ask(reader, [part for part in chosen if not part[1].chances], theory, rng)
        for case, node in chosen:
            case.follow(node)
    _play(reader.policy, cases, theory.rollouts)
    return [case.describe() for case in cases]


def _ask(
    reader: Reader,
    places: Iterable[tuple[_Case, _Node]],
    theory: Theory,
    rng: np.random.Generator,
) -> None:
    """Find the chances of the optimal actions at each node."""
    asked = [
        (reader.policy.prompt.describe(node.turn), case.paths.successors(node.turn.state), node)
        for case, node in places
    ]
    asked.sort(key=lambda part: len(part[0]))
    size = max(1, theory.batch_size // WIDTH)
    for first in range(0, len(asked), size):
        texts, wanted, nodes = zip(*asked[first : first + size], strict=True)
        writer = reader.read(list(texts))
        found = find_chances(writer, wanted, reader.decode, theory, rng)
        for node, chances in zip(nodes, found, strict=True):
            node.chances = chances


def _play(policy: GeneratingPolicy, cases: list[_Case], rollouts: int) -> None:
    """Count how many optimal decisions episodes in each world make before another one or the goal."""
    starts = [(case, Turn(case.world, case.world.initial)) for case in cases]
    running = [start for start in starts for _ in range(rollouts)]
    depth = 0
    while running:
        replies = _sample_each(policy, [policy.prompt.describe(turn) for _, turn in running])
        remaining = []
        for (case, turn), reply in zip(running, replies, strict=True):
            after = case.paths.successors(turn.state).get(read_action(reply))
            if after is None:
                case.lasted[depth] += 1
            elif case.world.solved(after):
                case.lasted[depth + 1] += 1
            else:
                remaining.append((case, Turn(case.world, after, recount(reply, accepted=True))))
        running = remaining
        depth += 1


def _sample_each(policy: GeneratingPolicy, texts: list[str]) -> list[str]:
    """One reply to each text, all drawn independently; equal texts are read in groups."""
    wanted = Counter(texts)
    asked = [text for text, times in wanted.items() for _ in range(-(-times // GROUP))]
    pool: dict[str, list[str]] = {}
    drawn = policy.sample(asked, min(GROUP, max(wanted.values())))
    for text, replies in zip(asked, drawn, strict=True):
        pool.setdefault(text, []).extend(replies)
    return [pool[text].pop() for text in texts]
