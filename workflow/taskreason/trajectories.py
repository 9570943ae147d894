"""Expert trajectories: kitchens, collection by rejection sampling, and the decisions that training reads.

Kitchens of the two splits share no layout. Collection rolls an expert out, keeps the episodes that succeed within
the task's length bound, and writes one decision a line. The same code serves any expert policy. When decisions are
loaded, every one of them must earn the full reward, so a damaged or foreign file can't be trained on.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from taskreason.config_types import Config
from taskreason.errors import UserError
from taskreason.files import read_lines, write_json, write_lines
from taskreason.kitchen.engine import Kitchen
from taskreason.kitchen.generator import draw_disjoint
from taskreason.kitchen.layout_files import parse_layout
from taskreason.planner import Planner
from taskreason.policies import Policy
from taskreason.policies.planner import PlannerPolicy
from taskreason.rollout import Episode, Start, run_episodes
from taskreason.task import ACTION_REWARD, FORMAT_REWARD, TASKS, build_prompt, score_reply

CHUNK = 50
"""Kitchens that one round of collection tries."""


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
    drawn = draw_disjoint(TASKS[task].template, cfg.kitchens.mode, count(seed), number, exclude)
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
            for seed, layout in drawn
        ),
    )


def _read_kitchens(path: Path) -> list[dict]:
    return read_lines(path, ("layout", "layout_hash", "optimal_steps"), str(path))


def load_starts(task: str, path: Path) -> list[Start]:
    """The kitchens of a file as starts of episodes."""
    return [
        Start(Kitchen(parse_layout(row["layout"], f"{path}:{n}")), task, row["optimal_steps"])
        for n, row in enumerate(_read_kitchens(path), start=1)
    ]


def collect(
    task: str,
    cfg: Config,
    kitchens_path: Path,
    output: Path,
    summary: Path,
    policy: Policy | None = None,
) -> None:
    """Write the expert's decisions on training kitchens until the target number of trajectories is reached."""
    policy = policy or PlannerPolicy()
    starts, wanted, bound = (
        load_starts(task, kitchens_path),
        cfg.expert.trajectories,
        cfg.expert_bounds[task],
    )
    accepted: list[tuple[Start, Episode]] = []
    rejected: Counter[str] = Counter()
    tried = 0
    for first in range(0, len(starts), CHUNK):
        chunk = starts[first : first + CHUNK]
        episodes = run_episodes(policy, chunk, bound, cfg.rollout.batch_size, cfg.seed)
        for start, episode in zip(chunk, episodes, strict=True):
            if len(accepted) == wanted:
                break
            tried += 1
            reason = reject_reason(episode, start)
            if reason:
                rejected[reason] += 1
            else:
                accepted.append((start, episode))
        print(f"{task}: {len(accepted)}/{wanted} trajectories from {tried} kitchens", flush=True)
        if len(accepted) == wanted:
            break
    if len(accepted) < wanted:
        raise UserError(
            f"{kitchens_path}: only {len(accepted)} of {len(starts)} kitchens gave an expert trajectory within "
            f"{bound} steps but expert.trajectories asks for {wanted}; raise kitchens.training."
        )
    decisions = [
        decision for start, episode in accepted for decision in _list_decisions(start, episode)
    ]
    write_lines(output, map(asdict, decisions))
    write_json(
        summary,
        {
            "task": task,
            "policy": policy.name,
            "kitchens_tried": tried,
            "accepted": len(accepted),
            "rejected": dict(rejected),
            "decisions": len(decisions),
            "mean_steps": len(decisions) / len(accepted),
        },
    )


def reject_reason(episode: Episode, start: Start) -> str | None:
    """Why an episode is no expert trajectory, or None: an expert trajectory is a shortest successful one."""
    if not episode.success:
        too_far = start.optimal_steps is None or start.optimal_steps > episode.steps
        return "kitchen_beyond_bound" if too_far else "not_solved_within_bound"
    return "not_shortest" if episode.steps > start.optimal_steps else None


def _list_decisions(start: Start, episode: Episode) -> list[Decision]:
    kitchen, planner = start.kitchen, Planner(start.kitchen)
    state, decisions = kitchen.initial, []
    for t, (text, reply) in enumerate(zip(episode.actions, episode.replies, strict=True)):
        decisions.append(
            Decision(
                layout_hash=episode.layout_hash,
                t=t,
                prompt=build_prompt(kitchen, state),
                completion=reply,
                action=text,
                optimal_actions=tuple(action.text for action in planner.optimal_actions(state)),
                optimal_steps_left=episode.steps - t,
            )
        )
        state = kitchen.step(state, kitchen.find_action(state, text))
    return decisions


def load_decisions(path: Path) -> list[Decision]:
    """Read a trajectory file; every decision must be valid in its prompt and earn the full reward."""
    keys = tuple(Decision.__dataclass_fields__)
    decisions = []
    for number, row in enumerate(read_lines(path, keys, str(path)), start=1):
        decision = Decision(**{key: row[key] for key in keys})
        fault = _find_fault(decision)
        if fault:
            raise UserError(
                f"{path}:{number}: {fault}; delete the file and run `snakemake {path}` to make it again."
            )
        decisions.append(decision)
    return decisions


def _find_fault(decision: Decision) -> str | None:
    """What is wrong with a decision, or None."""
    texts = (decision.prompt, decision.completion, decision.action)
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        decision.optimal_actions, list | tuple
    ):
        return "prompt, completion and action must be text and optimal_actions a list"
    if f"\n{decision.action}\n" not in decision.prompt:
        return f"the action {decision.action!r} is not among the prompt's valid actions"
    if decision.action not in decision.optimal_actions:
        return f"the action {decision.action!r} is not among optimal_actions"
    if sum(score_reply(decision.completion, (decision.action,))) < FORMAT_REWARD + ACTION_REWARD:
        return "the completion does not earn the full reward for its own action"
    return None
