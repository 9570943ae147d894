"""Evaluation of one policy: episodes on unseen kitchens, and single replies on unseen expert states.

The second tells how often one decision is right (the quantity that single-turn training raises), the first what
that is worth over a whole episode.
"""

from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import write_json
from taskreason.durability.progress import follow
from taskreason.environments.robotouille.simulator.domain import Action
from taskreason.environments.robotouille.simulator.engine import State
from taskreason.environments.robotouille.teacher import Expert
from taskreason.policies import Policy, Turn
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.reply import parse_reply, recount
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import Start, rollout_to_file


def evaluate(
    policy: str,
    train_task: str,
    model: Path | str | None,
    cfg: Config,
    kitchens: dict[str, Path],
    episodes: dict[str, Path],
    single_turn: dict[str, Path],
) -> None:
    """Write an episodes file and a single-turn file for every task in ``episodes``; loads the model once.

    model: its folder or name; None for the policies that need none.
    """
    if model is None:
        actor = load_rules(policy, cfg.seed)
    else:
        actor = load_model_policy(model, cfg, temperature=float(cfg.rollout.do_sample))
    for task, path in episodes.items():
        starts = load_starts(task, kitchens[task])
        print(f"{policy} trained on {train_task}: {task}, {len(starts)} kitchens", flush=True)
        rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, path, cfg.seed)
        write_json(
            single_turn[task], score_single_turns(actor, starts, cfg.rollout.single_turn_states)
        )


def play(model: Path, task: str, cfg: Config, kitchens: Path, episodes: Path) -> None:
    """Write a model's episodes in the kitchens of one file."""
    actor = load_model_policy(model, cfg, temperature=float(cfg.rollout.do_sample))
    starts = load_starts(task, kitchens)
    rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, episodes, cfg.seed)


def score_single_turns(policy: Policy, starts: list[Start], limit: int) -> dict[str, int]:
    """Count right replies on expert states, evenly drawn from all starts, at most ``limit`` of them.

    Returns states, and how many replies were valid, equal to the expert's action, and optimal.
    """
    visited = []
    for start in follow(starts, "the expert's plans", len(starts), "kitchens"):
        expert = Expert(start.kitchen)
        plan = expert.plan(start.kitchen.initial)
        visited += [(start, expert, plan, step) for step in range(len(plan))]
    stride = max(1, -(-len(visited) // limit))
    chosen = visited[::stride]
    replies = policy.act(
        [
            Turn(start.kitchen, plan[step][0], _tell_before(expert, plan, step))
            for start, expert, plan, step in chosen
        ]
    )
    counts = {"states": len(chosen), "valid": 0, "expert": 0, "optimal": 0}
    pairs = zip(chosen, replies, strict=True)
    for (start, expert, plan, step), reply in follow(pairs, "judged", len(chosen), "replies"):
        state, wanted = plan[step]
        text = parse_reply(reply).action or ""
        optimal = expert.planner.optimal_actions(state)
        counts["valid"] += start.kitchen.find_action(state, text) is not None
        counts["expert"] += text == wanted.text
        counts["optimal"] += text in {action.text for action in optimal}
    return counts


def _tell_before(expert: Expert, plan: list[tuple[State, Action]], step: int) -> str:
    """The expert's step before, as the prompt of a policy with a memory of it tells it."""
    return recount(expert.reply_at(plan, step - 1), accepted=True) if step else ""
