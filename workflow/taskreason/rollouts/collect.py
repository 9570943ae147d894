"""Expert trajectories by rejection sampling: an expert plays in training worlds, and what is good enough is kept.

Any policy can be the expert. Each world gets up to ``expert.attempts`` episodes, fewer when one is as short as
possible; the shortest accepted one becomes a trajectory. Collection stops at ``expert.trajectories``, or when the
worlds or the budget of episodes are used up. Every episode is written down when it ends, so a killed collection goes
on where it was. Replies are brought into the two lines of the format, one thought and one action.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import write_json, write_lines
from taskreason.durability.partial_results import PartialResults
from taskreason.durability.progress import follow, say
from taskreason.environments.base import Decision
from taskreason.environments.reply import format_reply, read_thought, recount
from taskreason.policies import Policy
from taskreason.policies.generation import Usage
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.prompt import build_prompt
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import FIELDS, Episode, Start, read_episode, run_episodes

CHUNK = 50
"""Worlds that one round of collection tries."""


class Attempts:
    """Every episode of a collection, on disk from the moment it ends; one file a task."""

    def __init__(self, path: Path, settings: dict, policy: Policy):
        # Episodes of another expert or other settings are not this collection's.
        self.partial = PartialResults(path, f"{json.dumps(settings)} {FIELDS}")
        self.policy = policy
        self.episodes: dict[str, list[Episode]] = {}
        self.usage, self.counted = Usage(), Usage()
        kept = self.partial.read()
        for row in kept:
            self._add(read_episode(row["episode"]), Usage(**row["usage"]))
        self.partial.begin(kept)
        self.number = len(kept)
        if self.number:
            print(f"{path.stem.lstrip('.')}: {self.number} episodes found, going on", flush=True)

    def record(self, episode: Episode) -> None:
        """Keep an episode that has just ended, with what was asked of the model since the last one."""
        now = getattr(self.policy, "usage", Usage())
        spent = now.since(self.counted)
        self.counted = now.since(Usage())
        self._add(episode, spent)
        self.number += 1
        self.partial.add({"episode": asdict(episode), "usage": asdict(spent)})

    def _add(self, episode: Episode, spent: Usage) -> None:
        self.episodes.setdefault(episode.layout_hash, []).append(episode)
        self.usage.add(spent.requests, spent.prompt_tokens, spent.reply_tokens)


def collect(
    task: str,
    cfg: Config,
    worlds_path: Path,
    output: Path,
    summary: Path,
    policy: Policy | None = None,
) -> None:
    """Write the expert's decisions in training worlds, and a summary of what was tried, accepted and rejected."""
    policy = policy or load_expert(cfg)
    starts, bound = load_starts(task, worlds_path, cfg.env), cfg.bound_of(task)
    settings = {
        "temperature": cfg.expert.temperature,
        "noise": cfg.expert.noise,
        "name": policy.name,
        "bound": bound,
        "prompt": asdict(cfg.prompt),
    }
    attempts = Attempts(output.with_name(f".{output.stem}.attempts.jsonl"), settings, policy)
    accepted, tried = _try_worlds(task, cfg, starts, policy, attempts)
    _check_number(len(accepted), cfg, worlds_path, len(tried), attempts.number, bound)
    decisions = [
        decision
        for start, episode in follow(accepted, task, len(accepted), "trajectories written")
        for decision in list_decisions(start, episode, cfg)
    ]
    write_lines(output, map(asdict, decisions))
    write_json(summary, summarise(task, tried, attempts, accepted, len(decisions), cfg, policy))
    attempts.partial.remove()


def load_expert(cfg: Config) -> Policy:
    """The policy that ``expert`` names."""
    if cfg.expert.policy == "planner":
        return load_rules("planner", cfg.seed, cfg.env, cfg.expert.noise)
    expert = cfg.expert
    return load_model_policy(expert.model, cfg, expert.temperature, expert.tensor_parallel)


def _try_worlds(
    task: str, cfg: Config, starts: list[Start], policy: Policy, attempts: Attempts
) -> tuple[list[tuple[Start, Episode]], list[Start]]:
    """Accepted trajectories in the worlds' order, and the worlds that were looked at for them."""
    accepted: list[tuple[Start, Episode]] = []
    tried: list[Start] = []
    bound, wanted, budget = cfg.bound_of(task), cfg.expert.trajectories, cfg.expert.budget
    for first in range(0, len(starts), CHUNK):
        chunk = starts[first : first + CHUNK]
        for number in range(cfg.expert.attempts):
            due = [start for start in chunk if _is_due(start, number, attempts, cfg)]
            if budget:
                due = due[: max(0, budget - attempts.number)]
            run_episodes(policy, due, bound, cfg.rollout.batch_size, cfg.seed, attempts.record)
        for start in chunk:
            episodes = _episodes_of(start, attempts, cfg)
            if len(accepted) == wanted or not (episodes or _is_beyond(start, cfg)):
                break
            tried.append(start)
            if best := choose_episode(start, episodes, cfg):
                accepted.append((start, best))
        say(f"{task}: {len(accepted)}/{wanted} trajectories from {len(tried)} {cfg.env.worlds}")
        if len(accepted) == wanted or budget and attempts.number >= budget:
            break
    return accepted, tried


def _is_beyond(start: Start, cfg: Config) -> bool:
    """Whether no plan is within the bound, so that no episode need be tried."""
    return start.optimal_steps is None or start.optimal_steps > cfg.bound_of(start.task)


def _episodes_of(start: Start, attempts: Attempts, cfg: Config) -> list[Episode]:
    return attempts.episodes.get(start.world.id, [])[: cfg.expert.attempts]


def _is_due(start: Start, number: int, attempts: Attempts, cfg: Config) -> bool:
    """Whether a world gets another episode: it has had ``number``, and none of them as short as possible."""
    if _is_beyond(start, cfg):
        return False
    episodes = _episodes_of(start, attempts, cfg)
    best = choose_episode(start, episodes, cfg)
    return len(episodes) <= number and not (best and best.steps == start.optimal_steps)


def choose_episode(start: Start, episodes: Sequence[Episode], cfg: Config) -> Episode | None:
    """The shortest acceptable episode, or None."""
    good = [episode for episode in episodes if not reject_reason(episode, start, cfg)]
    return min(good, key=lambda episode: episode.steps, default=None)


def reject_reason(episode: Episode, start: Start, cfg: Config) -> str | None:
    """Why an episode is no expert trajectory, or None.

    An expert trajectory is a shortest successful one. The exact teacher's are so by right; of a model's, every step
    must be possible and must have a thought, and the choice among attempts stands in for "shortest".
    """
    if not episode.success:
        return "not_solved_within_bound"
    if episode.invalid:
        return "invalid_action"
    if not all(map(read_thought, episode.replies)):
        return "no_thought"
    if cfg.expert.is_exact and episode.steps > start.optimal_steps:
        return "not_shortest"
    return None


def list_decisions(start: Start, episode: Episode, cfg: Config) -> list[Decision]:
    """The decisions of an accepted episode, with the prompts that training will read."""
    world, teacher = start.world, cfg.env.teacher(start.world)
    state, before, decisions = world.initial, "", []
    for t, (text, reply) in enumerate(zip(episode.actions, episode.replies, strict=True)):
        completion = format_reply(read_thought(reply), text)
        decisions.append(
            Decision(
                layout_hash=episode.layout_hash,
                t=t,
                prompt=build_prompt(world, state, before if cfg.prompt.history else ""),
                completion=completion,
                action=text,
                optimal_actions=tuple(teacher.optimal(state)),
                optimal_steps_left=teacher.distance(state),
            )
        )
        before = recount(completion, accepted=True)
        state = world.step(state, text)
    return decisions


def _check_number(
    accepted: int, cfg: Config, worlds: Path, tried: int, attempts: int, bound: int
) -> None:
    """Raise UserError where the trajectories don't suffice; a budget that is used up suffices with one."""
    wanted, budget = cfg.expert.trajectories, cfg.expert.budget
    spent = bool(budget) and attempts >= budget
    if accepted >= wanted or spent and accepted:
        return
    fix = "raise expert.budget" if spent else "raise worlds.training or expert.attempts"
    raise UserError(
        f"{worlds}: only {accepted} of {tried} {cfg.env.worlds} gave an expert trajectory within "
        f"{bound} steps but expert.trajectories asks for {wanted}; {fix}."
    )


def summarise(
    task: str,
    starts: Sequence[Start],
    attempts: Attempts,
    accepted: Sequence[tuple[Start, Episode]],
    decisions: int,
    cfg: Config,
    policy: Policy,
) -> dict:
    """What collection did: worlds, episodes, reasons for rejection (of episodes, and of worlds without), tokens."""
    tried = [(start, episode) for start in starts for episode in _episodes_of(start, attempts, cfg)]
    reasons = Counter(reject_reason(episode, start, cfg) for start, episode in tried)
    good = reasons.pop(None, 0)
    reasons["longer_than_another"] = good - len(accepted)
    reasons["kitchen_beyond_bound"] = sum(_is_beyond(start, cfg) for start in starts)
    return {
        "task": task,
        "policy": policy.name,
        "kitchens_tried": len(starts),
        "episodes": len(tried),
        "accepted": len(accepted),
        "rejected": {reason: number for reason, number in sorted(reasons.items()) if number},
        "decisions": decisions,
        "mean_steps": decisions / len(accepted),
        "requests": attempts.usage.requests,
        "prompt_tokens": attempts.usage.prompt_tokens,
        "reply_tokens": attempts.usage.reply_tokens,
    }
