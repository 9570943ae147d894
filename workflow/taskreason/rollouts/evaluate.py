"""Evaluation of one policy: episodes in unseen worlds, and single replies on unseen expert states.

The second tells how often one decision is right (the quantity that single-turn training raises), the first what
that is worth over a whole episode.
"""

from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import write_json
from taskreason.durability.progress import follow
from taskreason.environments.base import Environment, State, Teacher, list_plan
from taskreason.environments.reply import parse_reply, recount
from taskreason.policies import Policy, Turn
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import Start, rollout_to_file


def evaluate(
    policy: str,
    train_task: str,
    model: Path | str | None,
    cfg: Config,
    worlds: dict[str, Path],
    episodes: dict[str, Path],
    single_turn: dict[str, Path],
) -> None:
    """Write an episodes file and a single-turn file for every task in ``episodes``; loads the model once.

    model: its folder or name; None for the policies that need none.
    """
    if model is None:
        actor = load_rules(policy, cfg.seed, cfg.env)
    else:
        actor = load_model_policy(model, cfg, temperature=float(cfg.rollout.do_sample))
    for task, path in episodes.items():
        starts = load_starts(task, worlds[task], cfg.env)
        print(
            f"{policy} trained on {train_task}: {task}, {len(starts)} {cfg.env.worlds}", flush=True
        )
        rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, path, cfg.seed)
        write_json(
            single_turn[task],
            score_single_turns(actor, starts, cfg.rollout.single_turn_states, cfg.env),
        )


def play(model: Path, task: str, cfg: Config, worlds: Path, episodes: Path) -> None:
    """Write a model's episodes in the worlds of one file."""
    actor = load_model_policy(model, cfg, temperature=float(cfg.rollout.do_sample))
    starts = load_starts(task, worlds, cfg.env)
    rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, episodes, cfg.seed)


def score_single_turns(
    policy: Policy, starts: list[Start], limit: int, environment: Environment
) -> dict[str, int]:
    """Count right replies on expert states, evenly drawn from all starts, at most ``limit`` of them.

    Returns states, and how many replies were valid, equal to the expert's action, and optimal.
    """
    visited = []
    for start in follow(starts, "the expert's plans", len(starts), environment.worlds):
        teacher = environment.teacher(start.world)
        plan = list_plan(start.world, teacher)
        visited += [(start, teacher, plan, step) for step in range(len(plan))]
    stride = max(1, -(-len(visited) // limit))
    chosen = visited[::stride]
    replies = policy.act(
        [
            Turn(start.world, plan[step][0], _tell_before(teacher, plan, step))
            for start, teacher, plan, step in chosen
        ]
    )
    counts = {"states": len(chosen), "valid": 0, "expert": 0, "optimal": 0}
    pairs = zip(chosen, replies, strict=True)
    for (start, teacher, plan, step), reply in follow(pairs, "judged", len(chosen), "replies"):
        state, wanted = plan[step]
        text = parse_reply(reply).action or ""
        counts["valid"] += start.world.step(state, text) is not None
        counts["expert"] += text == wanted
        counts["optimal"] += text in teacher.optimal(state)
    return counts


def _tell_before(teacher: Teacher, plan: list[tuple[State, str]], step: int) -> str:
    """The expert's step before, as the prompt of a policy with a memory of it tells it."""
    return recount(teacher.reply(plan[step - 1][0]), accepted=True) if step else ""
