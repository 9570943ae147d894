"""What the theorems speak of, measured on one policy in worlds that no training saw.

For every world: how often sampled replies name which action, at each state of the expert's trajectory, at the other
states along shortest plans that the policy gets to, and at states just off them; and, in episodes of their own, how
many optimal decisions the policy makes before its first other one. Policies sample at GRPO's temperature.

One JSON line a world; worlds that are done are kept when a measurement is interrupted.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from taskreason.config.groups import Theory
from taskreason.config.models import Config
from taskreason.durability.files import write_lines
from taskreason.durability.partial_results import PartialResults
from taskreason.durability.progress import follow, say
from taskreason.environments.base import Environment, State, list_plan
from taskreason.policies import Turn
from taskreason.policies.generation import GeneratingPolicy
from taskreason.policies.reply import parse_reply, recount
from taskreason.rollouts.episode import Start
from taskreason.theory.recursion import OptimalPaths

LEAST_REACH = 0.005
"""States that are not the expert's and that the policy gets to less often than this are not asked about."""
WORLDS_AT_ONCE = 10


@dataclass
class _Node:
    """A state along shortest plans. before: the step that led here, in words.

    reach: how often the policy gets here from the start or from one of the expert's states, past none of the others.
    """

    state: State
    depth: int
    reach: float
    before: str
    expert: str | None = None
    counts: Counter = field(default_factory=Counter)


class _Case:
    """One world with what is known of it so far."""

    def __init__(self, start: Start, environment: Environment):
        self.world, teacher = start.world, environment.teacher(start.world)
        self.paths = OptimalPaths(start.world, teacher)
        self.plan = list_plan(start.world, teacher)
        self.nodes: dict[State, _Node] = {}
        for depth, (state, action) in enumerate(self.plan):
            before = recount(teacher.reply(self.plan[depth - 1][0]), True) if depth else ""
            self.nodes[state] = _Node(state, depth, 1.0, before, action)

    def follow(self, node: _Node, replies: list[str]) -> None:
        """Count the replies at a node and note where its optimal ones lead."""
        actions = [parse_reply(reply).action or "" for reply in replies]
        node.counts.update(actions)
        for text, after in self.paths.successors(node.state).items():
            times = node.counts[text]
            if times and not self.world.solved(after):
                before = recount(replies[actions.index(text)], True)
                found = self.nodes.setdefault(after, _Node(after, node.depth + 1, 0.0, before))
                if not found.expert:
                    found.reach += node.reach * times / len(replies)

    def list_nodes(self, depth: int) -> list[_Node]:
        """The nodes at a depth that are to be asked about."""
        return [
            node
            for node in self.nodes.values()
            if node.depth == depth and (node.expert or node.reach >= LEAST_REACH)
        ]


def measure(policy: GeneratingPolicy, starts: Sequence[Start], cfg: Config, path: Path) -> None:
    """Write one line a world to ``path``; resumes from ``path`` + ``.partial``. The policy has to sample."""
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
            part = measure_worlds(policy, chosen, theory, cfg.env)
            partial.add(*part)
        rows += part
        say(f"{path.stem}: {len(rows)}/{len(starts)} {cfg.env.worlds}")
    write_lines(path, rows)
    partial.remove()


def measure_worlds(
    policy: GeneratingPolicy, starts: Sequence[Start], theory: Theory, environment: Environment
) -> list[dict[str, Any]]:
    """What is measured in each world, as plain values (see :func:`describe_case`)."""
    cases = [
        _Case(start, environment)
        for start in follow(starts, "the expert's plans", len(starts), environment.worlds)
    ]
    _explore(policy, cases, theory.replies)
    strayed = [_stray(case, theory.off_path) for case in cases]
    _ask(
        policy,
        [(case, node) for case, nodes in zip(cases, strayed, strict=True) for node in nodes],
        theory,
    )
    depths = _play(policy, cases, theory.rollouts)
    return [
        describe_case(case, nodes, lasted)
        for case, nodes, lasted in zip(cases, strayed, depths, strict=True)
    ]


def describe_case(case: _Case, strayed: list[_Node], lasted: Counter) -> dict[str, Any]:
    """One line of the file.

    states: along shortest plans, the start first. Each has its depth, the expert's action (null off its trajectory),
    the optimal actions with the number of the state that each leads to (null: the goal; -1: a state that was not
    asked about), and how often replies named which action ("" for none). off_path: states one wrong step away.
    rollouts: number of optimal decisions before another one -> episodes; optimal_steps of them are success.
    """
    asked = sorted((n for n in case.nodes.values() if n.counts), key=lambda node: node.depth)
    numbers = {node.state: n for n, node in enumerate(asked)}

    def lead(node: _Node) -> dict[str, int | None]:
        return {
            text: None if case.world.solved(after) else numbers.get(after, -1)
            for text, after in case.paths.successors(node.state).items()
        }

    return {
        "layout_hash": case.world.id,
        "optimal_steps": len(case.plan),
        "states": [
            {"depth": n.depth, "expert": n.expert, "optimal": lead(n), "counts": dict(n.counts)}
            for n in asked
        ],
        "off_path": [
            {
                "depth": node.depth,
                "optimal": list(case.paths.successors(node.state)),
                "counts": dict(node.counts),
            }
            for node in strayed
        ],
        "rollouts": {str(steps): times for steps, times in sorted(lasted.items())},
    }


def _explore(policy: GeneratingPolicy, cases: list[_Case], replies: int) -> None:
    """Ask at all states along shortest plans that the expert or the policy gets to, from the start on."""
    for depth in range(max(len(case.plan) for case in cases)):
        chosen = [(case, node) for case in cases for node in case.list_nodes(depth)]
        texts = [_describe(policy, case, node) for case, node in chosen]
        for (case, node), given in zip(chosen, policy.sample(texts, replies), strict=True):
            case.follow(node, given)


def _stray(case: _Case, number: int) -> list[_Node]:
    """States one possible, not optimal action away from the expert's, at most ``number``, the same for all policies."""
    rng = random.Random(f"stray {case.world.id}")
    found, planned = [], {state for state, _ in case.plan}
    for depth, (state, _) in enumerate(case.plan):
        optimal, possible = case.paths.successors(state), case.world.actions(state)
        for action in rng.sample(possible, min(3, len(possible))):
            after = case.world.step(state, action)
            new = action not in optimal and after not in planned
            if new and case.paths.successors(after):
                before = recount(f"Action: {action}", True)
                found.append(_Node(after, depth + 1, 0.0, before))
                break
    return sorted(rng.sample(found, min(number, len(found))), key=lambda node: node.depth)


def _ask(policy: GeneratingPolicy, chosen: list[tuple[_Case, _Node]], theory: Theory) -> None:
    texts = [_describe(policy, case, node) for case, node in chosen]
    for (_, node), given in zip(chosen, policy.sample(texts, theory.replies), strict=True):
        node.counts.update(parse_reply(reply).action or "" for reply in given)


@dataclass
class _Episode:
    """An episode that has made optimal decisions only."""

    number: int
    state: State
    before: str = ""


def _play(policy: GeneratingPolicy, cases: list[_Case], rollouts: int) -> list[Counter]:
    """For each world, how many optimal decisions its episodes make before another one or the goal."""
    lasted = [Counter() for _ in cases]
    running = [_Episode(n, c.world.initial) for n, c in enumerate(cases) for _ in range(rollouts)]
    depth = 0
    while running:
        texts = [
            policy.prompt.describe(Turn(cases[e.number].world, e.state, e.before)) for e in running
        ]
        remaining = []
        for episode, reply in zip(running, _sample_each(policy, texts), strict=True):
            case = cases[episode.number]
            after = case.paths.successors(episode.state).get(parse_reply(reply).action or "")
            if after is None:
                lasted[episode.number][depth] += 1
            elif case.world.solved(after):
                lasted[episode.number][depth + 1] += 1
            else:
                remaining.append(_Episode(episode.number, after, recount(reply, True)))
        running = remaining
        depth += 1
    return lasted


GROUP = 16
"""Replies drawn to a text at once; where fewer are needed, the rest are thrown away."""


def _sample_each(policy: GeneratingPolicy, texts: list[str]) -> list[str]:
    """One reply to each text, all drawn independently; equal texts are read in groups."""
    wanted = Counter(texts)
    asked = [text for text, times in wanted.items() for _ in range(-(-times // GROUP))]
    pool: dict[str, list[str]] = {}
    drawn = policy.sample(asked, min(GROUP, max(wanted.values())))
    for text, replies in zip(asked, drawn, strict=True):
        pool.setdefault(text, []).extend(replies)
    return [pool[text].pop() for text in texts]


def _describe(policy: GeneratingPolicy, case: _Case, node: _Node) -> str:
    return policy.prompt.describe(Turn(case.world, node.state, node.before))
