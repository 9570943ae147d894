"""Worlds on disk, and expert trajectories as the decisions that training reads.

Worlds of the splits are disjoint by their ids. When decisions are loaded, every one of them must earn the full reward,
so a damaged or foreign file can't be trained on. :mod:`taskreason.rollouts.collect` writes them.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError, quote
from taskreason.durability.files import read_lines, write_lines
from taskreason.durability.progress import follow
from taskreason.environments.base import (
    Decision,
    Environment,
    TaskSpec,
    Teacher,
    World,
    list_plan,
)
from taskreason.environments.reply import parse_reply
from taskreason.rollouts.episode import PlannedStep, Start

PATIENCE = 10_000
"""Seeds in a row that give no new world before a task counts as having no more of them."""


def draw_worlds(
    environment: Environment,
    task: TaskSpec,
    mode: str,
    first_seed: int,
    number: int,
    exclude: Collection[str] = (),
    keep: Callable[[World], bool] | None = None,
) -> Iterator[tuple[int, World]]:
    """``number`` worlds with their seeds, counted up from the first: no two equal, none whose id is in ``exclude``.

    keep: which of them are wanted, all if None. A seed never stands in for another, so a split that is asked to be
    larger begins as before.
    """
    seen, found, in_vain = set(exclude), 0, 0
    for seed in count(first_seed):
        if found == number:
            return
        world = environment.draw(task, seed, mode)
        in_vain += 1
        if world.id not in seen:
            seen.add(world.id)
            if keep is None or keep(world):
                found, in_vain = found + 1, 0
                yield seed, world
        if in_vain == PATIENCE:
            raise UserError(
                f"{task.name}: there are no more than {found} new {environment.worlds}, where {number} are asked for; "
                "lower worlds.training, worlds.validation, worlds.evaluation or worlds.splits."
            )


def make_worlds(
    task: str, split: str, cfg: Config, output: Path, disjoint_from: Sequence[Path] = ()
) -> None:
    """Write the worlds of one split ("train", "validation", "eval" or one of the environment's ``splits``).

    None of them is in ``disjoint_from``.
    """
    env, worlds = cfg.env, cfg.worlds
    number, seed = {
        "train": (worlds.training, worlds.train_seed),
        "eval": (worlds.evaluation, worlds.eval_seed),
        "validation": (worlds.validation, worlds.validation_seed),
    }.get(split, (worlds.splits, worlds.splits_seed))
    further = env.splits.get(split)
    mode, keep = (further.mode or cfg.mode, further.keep) if further else (cfg.mode, None)
    exclude = {row["layout_hash"] for path in disjoint_from for row in _read_worlds(path)}
    drawn = list(draw_worlds(env, cfg.task(task), mode, seed, number, exclude, keep))
    rows = []
    for seed, world in follow(drawn, task, number, env.worlds):
        known = {"layout_hash": world.id, "seed": seed, "mode": mode}
        if start := env.describe_start(world):
            known["start"] = start
        teacher = env.teacher(world)
        known["optimal_steps"] = teacher.distance(world.initial)
        if split != "train" and known["optimal_steps"] is not None:
            # Every policy is scored on the expert's states, so that these are planned once for all.
            steps = map(asdict, plan_steps(world, teacher))
            known["plan"] = [{key: step[key] for key in PLANNED} for step in steps]
        rows.append({**env.dump(world), **known})
    write_lines(output, rows)


PLANNED = ("action", "reply", "optimal")
"""What is kept of a planned step; its state follows from the actions."""


def plan_steps(world: World, teacher: Teacher) -> list[PlannedStep]:
    """The expert's shortest plan; ValueError where the goal can't be reached."""
    return [
        PlannedStep(state, action, teacher.reply(state), tuple(teacher.optimal(state)))
        for state, action in list_plan(world, teacher)
    ]


def _read_plan(world: World, rows: object, place: str) -> tuple[PlannedStep, ...] | None:
    """The plan that a file holds, None where it holds none; UserError where it does not lead to the goal."""
    if rows is None:
        return None
    state, steps = world.initial, []
    with suppress(KeyError, TypeError):
        for row in rows:
            steps.append(PlannedStep(state, row["action"], row["reply"], tuple(row["optimal"])))
            state = world.step(state, row["action"])
        if state is not None and world.solved(state):
            return tuple(steps)
    raise UserError(
        f"{place}: plan does not lead to the goal; delete the file and run "
        f"`snakemake {place.rpartition(':')[0]}` to make it again."
    )


def _read_worlds(path: Path) -> list[dict]:
    return read_lines(path, ("layout_hash", "optimal_steps"), str(path))


def load_starts(task: str, path: Path, environment: Environment) -> list[Start]:
    """The worlds of a file as starts of episodes; each must be the one that its id is of."""
    starts = []
    for n, row in enumerate(_read_worlds(path), start=1):
        world = environment.load(row, f"{path}:{n}")
        if world.id != row["layout_hash"]:
            raise UserError(
                f"{path}:{n}: what is described is not what layout_hash is of; delete the file and run "
                f"`snakemake {path}` to make it again."
            )
        plan = _read_plan(world, row.get("plan"), f"{path}:{n}")
        starts.append(Start(world, task, row["optimal_steps"], plan))
    return starts


def load_decisions(path: Path, exact: bool = True) -> list[Decision]:
    """Read a trajectory file; every decision must be possible in its prompt and earn the full reward.

    exact: the expert was the exact teacher, so its actions must be optimal, too.
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
    is_text = all(isinstance(text, str) for text in texts)
    if not is_text or not isinstance(decision.optimal_actions, list):
        return "prompt, completion and action must be text and optimal_actions a list"
    if f"\n{decision.action}\n" not in decision.prompt:
        return f"the action {quote(decision.action)} is not among the prompt's valid actions"
    if exact and decision.action not in decision.optimal_actions:
        return f"the action {quote(decision.action)} is not among optimal_actions"
    reply = parse_reply(decision.completion)
    if not reply.well_formed or reply.action != decision.action:
        return "the completion does not earn the full reward for its own action"
    return None
