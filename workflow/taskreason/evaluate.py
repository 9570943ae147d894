"""Evaluation of one policy: episodes on unseen kitchens, and single replies on unseen expert states.

The second tells how often one decision is right (the quantity that single-turn training raises), the first what
that is worth over a whole episode.
"""

from pathlib import Path

from taskreason.config_types import Config
from taskreason.files import write_json
from taskreason.kitchen.engine import State
from taskreason.planner import Planner
from taskreason.policies import Policy, make_turn
from taskreason.policies.greedy import GreedyPolicy
from taskreason.policies.planner import PlannerPolicy
from taskreason.policies.random import RandomPolicy
from taskreason.reasoning import Expert
from taskreason.rollout import Start, rollout_to_file
from taskreason.task import parse_reply
from taskreason.trajectories import load_starts


def evaluate(
    policy: str,
    train_task: str,
    model_dir: Path | None,
    cfg: Config,
    kitchens: dict[str, Path],
    episodes: dict[str, Path],
    single_turn: dict[str, Path],
) -> None:
    """Write an episodes file and a single-turn file for every task in ``episodes``; loads the model once."""
    actor = _load_policy(policy, model_dir, cfg)
    for task, path in episodes.items():
        starts = load_starts(task, kitchens[task])
        print(f"{policy} trained on {train_task}: {task}, {len(starts)} kitchens", flush=True)
        rollout_to_file(actor, starts, cfg.timeouts[task], cfg.rollout.batch_size, path, cfg.seed)
        write_json(
            single_turn[task], score_single_turns(actor, starts, cfg.rollout.single_turn_states)
        )


def _load_policy(policy: str, model_dir: Path | None, cfg: Config) -> Policy:
    if model_dir is None:
        return {"expert": PlannerPolicy, "random": RandomPolicy, "greedy": GreedyPolicy}[policy]()
    from taskreason.policies.transformers import TransformersPolicy

    return TransformersPolicy.load(
        model_dir,
        cfg.rollout.batch_size,
        cfg.rollout.max_new_tokens,
        cfg.rollout.do_sample,
        seed=cfg.seed,
    )


def score_single_turns(policy: Policy, starts: list[Start], limit: int) -> dict[str, int]:
    """Count right replies on expert states, evenly drawn from all starts, at most ``limit`` of them.

    Returns states, and how many replies were valid, equal to the expert's action, and optimal.
    """
    visited: list[tuple[Start, State, str, Planner]] = []
    for start in starts:
        expert = Expert(start.kitchen)
        visited += [
            (start, state, action.text, expert.planner)
            for state, action in expert.plan(start.kitchen.initial)
        ]
    stride = max(1, -(-len(visited) // limit))
    chosen = visited[::stride]
    replies = policy.act([make_turn(start.kitchen, state) for start, state, _, _ in chosen])
    counts = {"states": len(chosen), "valid": 0, "expert": 0, "optimal": 0}
    for (start, state, wanted, planner), reply in zip(chosen, replies, strict=True):
        text = parse_reply(reply).action or ""
        counts["valid"] += start.kitchen.find_action(state, text) is not None
        counts["expert"] += text == wanted
        counts["optimal"] += text in {action.text for action in planner.optimal_actions(state)}
    return counts
