"""Evaluation of one policy: episodes in unseen worlds, single replies on unseen expert states, and probes.

Episodes take the likeliest reply at every step, and models play once more with sampled ones.

Single replies tell how often one decision is right (the quantity that single-turn training raises), episodes what
that is worth. Probes are the environment's own questions to the base model before any task is taught.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from taskreason.config.models import Config
from taskreason.durability.files import write_json
from taskreason.durability.progress import follow, say
from taskreason.environments.base import Environment
from taskreason.environments.reply import read_action, recount
from taskreason.policies import Policy, Turn
from taskreason.policies.generation import Sampling
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.prompt import choose_format
from taskreason.rollouts.dataset import load_starts, plan_steps
from taskreason.rollouts.episode import Start, rollout_to_file, rollout_to_files
from taskreason.rollouts.sampled import sample_to_file


def evaluate(
    policy: str,
    train_task: str,
    model: Path | str | None,
    cfg: Config,
    worlds: dict[str, Path],
    episodes: dict[str, Path],
    single_turn: dict[str, Path],
    sampled: Mapping[float, Mapping[str, Path]] = MappingProxyType({}),
) -> None:
    """Write an episodes file and a single-turn file for every task in ``episodes``; loads the model once.

    train_task: "-" where no task trained it. model: its folder or name; None for the policies that need none. sampled:
    by temperature, the files of episodes with sampled replies, on some of the tasks.
    """
    if model is None:
        actor = load_rules(policy, cfg.seed, cfg.env)
    else:
        actor = load_model_policy(model, cfg, trained=train_task != "-")
    starts = {task: load_starts(task, worlds[task], cfg.env) for task in episodes}
    timeouts = {task: cfg.timeout_of(task) for task in episodes}
    number = sum(map(len, starts.values()))
    print(f"{policy} trained on {train_task}: {number} {cfg.env.worlds}", flush=True)
    files = {path: starts[task] for task, path in episodes.items()}
    rollout_to_files(actor, files, timeouts, cfg.rollout.batch_size, cfg.seed)
    for task in episodes:
        limit = cfg.rollout.single_turn_states
        write_json(single_turn[task], score_single_turns(actor, starts[task], limit, cfg.env))
    size = cfg.rollout.batch_size
    for temperature, parts in sampled.items():
        drawn = actor.at_temperature(temperature)
        for task, path in parts.items():
            say(f"{policy} on {task}, replies sampled at temperature {temperature:g}")
            sample_to_file(drawn, starts[task], timeouts[task], size, path, cfg.seed)


def play(
    model: Path, task: str, cfg: Config, worlds: Path, episodes: Path, temperature: float = 0.0
) -> None:
    """Write a model's episodes in the worlds of one file."""
    actor = load_model_policy(model, cfg, temperature)
    starts = load_starts(task, worlds, cfg.env)
    rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, episodes, cfg.seed)


def probe(cfg: Config, model: Path, worlds: Mapping[str, Path], output: Path) -> None:
    """Write how often a model answers right; worlds: unseen ones, by task.

    Output: {name of the probe: {"right": count, "asked": count}}, such as {"at": {"right": 399, "asked": 400}}.
    """
    from taskreason.policies.transformers import TransformersPolicy

    sampling = Sampling(cfg.rollout.max_new_tokens)
    asked = choose_format(cfg, trained=False)
    policy = TransformersPolicy.load(model, cfg.rollout.batch_size, sampling, asked)
    starts = {task: load_starts(task, path, cfg.env) for task, path in worlds.items()}
    unseen = {task: [start.world for start in part] for task, part in starts.items()}
    counts = {}
    for asked in cfg.env.draw_probes(cfg.probes, unseen):
        right = asked.judge(policy.complete(list(asked.prompts)))
        counts |= {name: {"right": n, "asked": len(asked.prompts)} for name, n in right.items()}
    write_json(output, counts)


def score_single_turns(
    policy: Policy, starts: list[Start], limit: int, environment: Environment
) -> dict[str, int]:
    """Count right replies on expert states, evenly drawn from all starts, at most ``limit`` of them.

    Returns states, and how many replies were valid, equal to the expert's action, and optimal.
    """
    visited = []
    for start in follow(starts, "the expert's plans", len(starts), environment.worlds):
        plan = start.plan or plan_steps(start.world, environment.teacher(start.world))
        before = ""
        for step in plan:
            visited.append((Turn(start.world, step.state, before), step))
            before = recount(step.reply, accepted=True)
    chosen = visited[:: max(1, -(-len(visited) // limit))]
    counts = {"states": len(chosen), "valid": 0, "expert": 0, "optimal": 0}
    replies = policy.act([turn for turn, _ in chosen])
    for (turn, step), reply in zip(chosen, replies, strict=True):
        text = read_action(reply)
        counts["valid"] += turn.world.step(turn.state, text) is not None
        counts["expert"] += text == step.action
        counts["optimal"] += text in step.optimal
    return counts
