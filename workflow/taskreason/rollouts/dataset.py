"""Kitchens on disk, and expert trajectories as the decisions that training reads.

Kitchens of the splits share no layout. When decisions are loaded, every one of them must earn the full reward, so a
damaged or foreign file can't be trained on. :mod:`taskreason.rollouts.collect` writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError, quote
from taskreason.durability.files import read_lines, write_lines
from taskreason.durability.progress import follow
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import draw_disjoint
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import find_task
from taskreason.policies.reply import ACTION_REWARD, FORMAT_REWARD, score_reply
from taskreason.rollouts.episode import Start


@dataclass(frozen=True)
class Decision:
    """One state of an expert trajectory with the expert's reply; ``t`` counts steps from 0."""

    layout_hash: str
    t: int
    prompt: str
    completion: str
    action: str
    optimal_actions: tuple[str, ...]
    optimal_steps_left: int


def make_kitchens(
    task: str, split: str, cfg: Config, output: Path, disjoint_from: Sequence[Path] = ()
) -> None:
    """Write the kitchens of one split ("train", "eval" or "validation"); none of them is in ``disjoint_from``."""
    number, seed = {
        "train": (cfg.kitchens.training, cfg.kitchens.train_seed),
        "eval": (cfg.kitchens.evaluation, cfg.kitchens.eval_seed),
        "validation": (cfg.kitchens.validation, cfg.kitchens.validation_seed),
    }[split]
    exclude = {row["layout_hash"] for path in disjoint_from for row in _read_kitchens(path)}
    template = find_task(task, cfg.recipes).template
    drawn = draw_disjoint(template, cfg.kitchens.mode, count(seed), number, exclude)
    write_lines(
        output,
        (
            {
                "layout": layout.to_json(),
                "layout_hash": layout.hash,
                "seed": seed,
                "mode": cfg.kitchens.mode,
                "optimal_steps": Planner(kitchen := Kitchen(layout)).distance(kitchen.initial),
            }
            for seed, layout in follow(drawn, task, number, "kitchens")
        ),
    )


def _read_kitchens(path: Path) -> list[dict]:
    return read_lines(path, ("layout", "layout_hash", "optimal_steps"), str(path))


def load_starts(task: str, path: Path) -> list[Start]:
    """The kitchens of a file as starts of episodes; each must be the one that its hash is of."""
    starts = []
    for n, row in enumerate(_read_kitchens(path), start=1):
        layout = parse_layout(row["layout"], f"{path}:{n}")
        if layout.hash != row["layout_hash"]:
            raise UserError(
                f"{path}:{n}: the layout is not the one that layout_hash is of; delete the file and run "
                f"`snakemake {path}` to make it again."
            )
        starts.append(Start(Kitchen(layout), task, row["optimal_steps"]))
    return starts


def load_decisions(path: Path, exact: bool = True) -> list[Decision]:
    """Read a trajectory file; every decision must be valid in its prompt and earn the full reward.

    exact: the expert was an exact planner, so its actions must be optimal, too.
    """
    keys = tuple(Decision.__dataclass_fields__)
    decisions = []
    for number, row in enumerate(read_lines(path, keys, str(path)), start=1):
        decision = Decision(**{key: row[key] for key in keys})
        fault = _find_fault(decision, exact)
        if fault:
            raise UserError(
                f"{path}:{number}: {fault}; delete the file and run `snakemake {path}` to make it again."
            )
        decisions.append(decision)
    return decisions


def _find_fault(decision: Decision, exact: bool) -> str | None:
    """What is wrong with a decision, or None."""
    texts = (decision.prompt, decision.completion, decision.action)
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        decision.optimal_actions, list | tuple
    ):
        return "prompt, completion and action must be text and optimal_actions a list"
    if f"\n{decision.action}\n" not in decision.prompt:
        return f"the action {quote(decision.action)} is not among the prompt's valid actions"
    if exact and decision.action not in decision.optimal_actions:
        return f"the action {quote(decision.action)} is not among optimal_actions"
    if sum(score_reply(decision.completion, (decision.action,))) < FORMAT_REWARD + ACTION_REWARD:
        return "the completion does not earn the full reward for its own action"
    return None
