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
from taskreason.environments.reply import NO_THOUGHT, format_reply, read_thought, recount
from taskreason.policies import Policy
from taskreason.policies.generation import Usage
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.prompt import build_prompt
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import FIELDS, Episode, Start, read_episode, run_episodes
from taskreason.rollouts.thoughts import make_faulty

CHUNK = 50
"""Worlds that one round of collection tries."""
Trajectories = list[tuple[Start, Episode]]


class Attempts:
    """Every episode of a collection, on disk from the moment it ends; one file a task."""

    def __init__(self, path: Path, cfg: Config, bound: int, policy: Policy):
        self.cfg, self.bound, self.policy = cfg, bound, policy
        settings = {
            "temperature": cfg.expert.temperature,
            "noise": cfg.expert.noise,
            "name": policy.name,
            "bound": bound,
            "prompt": asdict(cfg.prompt),
        }
        # Episodes of another expert or other settings are not this collection's.
        self.partial = PartialResults(path, f"{json.dumps(settings)} {FIELDS}")
        self.episodes: dict[str, list[Episode]] = {}
        self.usage, self.counted, self.number = Usage(), Usage(), 0
        kept = self.partial.read()
        for row in kept:
            self._add(read_episode(row["episode"]), Usage(**row["usage"]))
        self.partial.begin(kept)
        if kept:
            print(f"{path.stem.lstrip('.')}: {len(kept)} episodes found, going on", flush=True)

    def record(self, episode: Episode) -> None:
        """Keep an episode that has just ended, with what was asked of the model since the last one."""
        now = getattr(self.policy, "usage", Usage())
        spent = now.since(self.counted)
        self.counted = now.since(Usage())
        self._add(episode, spent)
        self.partial.add({"episode": asdict(episode), "usage": asdict(spent)})

    def _add(self, episode: Episode, spent: Usage) -> None:
        self.episodes.setdefault(episode.layout_hash, []).append(episode)
        self.usage.add(**asdict(spent))
        self.number += 1

    def of(self, start: Start) -> list[Episode]:
        """The episodes in a world."""
        return self.episodes.get(start.world.id, [])[: self.cfg.expert.attempts]

    def choose(self, start: Start) -> Episode | None:
        """The shortest acceptable episode in a world, or None."""
        good = [episode for episode in self.of(start) if not self.reject_reason(start, episode)]
        return min(good, key=lambda episode: episode.steps, default=None)

    def reject_reason(self, start: Start, episode: Episode) -> str | None:
        """Why an episode is no expert trajectory, or None.

        An expert trajectory is a shortest successful one. The exact teacher's are so by right; of a model's, every
        step must be possible and must have a thought, and the choice among attempts stands in for "shortest".
        """
        if not episode.success:
            return "not_solved_within_bound"
        if episode.invalid:
            return "invalid_action"
        if not all(map(read_thought, episode.replies)):
            return "no_thought"
        if self.cfg.expert.is_exact and episode.steps > start.optimal_steps:
            return "not_shortest"
        return None

    def is_beyond(self, start: Start) -> bool:
        """Whether no plan is within the bound, so that no episode need be tried."""
        return start.optimal_steps is None or start.optimal_steps > self.bound

    def is_due(self, start: Start, number: int) -> bool:
        """Whether a world gets another episode: it has had ``number``, and none of them as short as possible."""
        if self.is_beyond(start) or len(self.of(start)) > number:
            return False
        best = self.choose(start)
        return not (best and best.steps == start.optimal_steps)

    def is_spent(self) -> bool:
        """Whether there is a budget of episodes and it is used up."""
        return bool(self.cfg.expert.budget) and self.number >= self.cfg.expert.budget


def collect(
    task: str,
    cfg: Config,
    worlds_path: Path,
    output: Path,
    summary: Path,
    policy: Policy | None = None,
) -> None:
    """Write the expert's decisions in training worlds, and a summary of what was tried, accepted and rejected."""
    policy, bound, wanted = policy or load_expert(cfg), cfg.bound_of(task), cfg.expert.trajectories
    starts = load_starts(task, worlds_path, cfg.env)
    path = output.with_name(f".{output.stem}.attempts.jsonl")
    attempts = Attempts(path, cfg, bound, policy)
    accepted, tried = _try_worlds(task, starts, attempts)
    # A budget that is used up suffices with one trajectory.
    if len(accepted) < wanted and not (accepted and attempts.is_spent()):
        way = "expert.budget" if attempts.is_spent() else "worlds.training or expert.attempts"
        raise UserError(
            f"{worlds_path}: only {len(accepted)} of {len(tried)} {cfg.env.worlds} gave an expert trajectory within "
            f"{bound} steps but expert.trajectories asks for {wanted}; raise {way}."
        )
    decisions = [
        decision
        for start, episode in follow(accepted, task, len(accepted), "trajectories written")
        for decision in list_decisions(start, episode, cfg)
    ]
    write_lines(output, map(asdict, decisions))
    write_json(summary, summarise(task, tried, attempts, len(accepted), decisions))
    attempts.partial.remove()


def load_expert(cfg: Config) -> Policy:
    """The policy that ``expert`` names."""
    expert = cfg.expert
    if expert.policy == "model":
        gpus = expert.tensor_parallel
        return load_model_policy(expert.model, cfg, expert.temperature, gpus, trained=False)
    return load_rules(expert.policy, cfg.seed, cfg.env, expert.noise)


def _try_worlds(
    task: str, starts: list[Start], attempts: Attempts
) -> tuple[Trajectories, list[Start]]:
    """Accepted trajectories in the worlds' order, and the worlds that were looked at for them."""
    accepted: Trajectories = []
    tried: list[Start] = []
    cfg, wanted = attempts.cfg, attempts.cfg.expert.trajectories
    for first in range(0, len(starts), CHUNK):
        chunk = starts[first : first + CHUNK]
        for number in range(cfg.expert.attempts):
            due = [start for start in chunk if attempts.is_due(start, number)]
            if cfg.expert.budget:
                due = due[: max(0, cfg.expert.budget - attempts.number)]
            size = cfg.rollout.batch_size
            run_episodes(attempts.policy, due, attempts.bound, size, cfg.seed, attempts.record)
        for start in chunk:
            if len(accepted) == wanted or not (attempts.of(start) or attempts.is_beyond(start)):
                break
            tried.append(start)
            if best := attempts.choose(start):
                accepted.append((start, best))
        say(f"{task}: {len(accepted)}/{wanted} trajectories from {len(tried)} {cfg.env.worlds}")
        if len(accepted) == wanted or attempts.is_spent():
            break
    return accepted, tried


def list_decisions(start: Start, episode: Episode, cfg: Config) -> list[Decision]:
    """The decisions of an accepted episode, with the prompts that training will read and the thoughts' faults.

    An expert by a rule of thumb explains the plan that it went through, where the environment has words for that.
    """
    world, teacher, expert = start.world, cfg.env.teacher(start.world), cfg.expert
    states = [world.initial]
    for text in episode.actions:
        states.append(world.step(states[-1], text))
    plain = [build_prompt(world, state, "") for state in states[:-1]]
    thoughts: Sequence[str] = [read_thought(reply) for reply in episode.replies]
    if expert.policy in cfg.env.rule_policies:
        plan = list(zip(states[:-1], episode.actions, strict=True))
        thoughts = cfg.env.explain(world, plan) or thoughts
    thoughts = make_faulty(
        expert.thought_fault,
        expert.thought_noise,
        [form_thought(thought, cfg) for thought in thoughts],
        plain,
        cfg.env,
        f"{cfg.seed} {world.id}",
    )
    before, decisions = "", []
    for t, (text, thought, state) in enumerate(
        zip(episode.actions, thoughts, states, strict=False)
    ):
        completion = format_reply(thought, text)
        decisions.append(
            Decision(
                layout_hash=episode.layout_hash,
                t=t,
                prompt=build_prompt(world, state, before) if before else plain[t],
                completion=completion,
                action=text,
                optimal_actions=tuple(teacher.optimal(state)),
                optimal_steps_left=teacher.distance(state),
            )
        )
        before = recount(completion, accepted=True) if cfg.prompt.history else ""
    return decisions


def form_thought(thought: str, cfg: Config) -> str:
    """An expert's thought as ``expert.thoughts`` wants it."""
    env = cfg.env
    forms = {"english": env.phrase, "short": env.shorten, "none": lambda _: NO_THOUGHT}
    return forms.get(cfg.expert.thoughts, str)(thought)


def summarise(
    task: str,
    starts: Sequence[Start],
    attempts: Attempts,
    accepted: int,
    decisions: Sequence[Decision],
) -> dict:
    """What collection did: worlds, episodes, reasons for rejection (of episodes, and of worlds without), tokens.

    suboptimal: decisions that begin no shortest plan.
    """
    tried = [(start, episode) for start in starts for episode in attempts.of(start)]
    reasons = Counter(attempts.reject_reason(*pair) for pair in tried)
    reasons["longer_than_another"] = reasons.pop(None, 0) - accepted
    reasons["kitchen_beyond_bound"] = sum(map(attempts.is_beyond, starts))
    return {
        "task": task,
        "policy": attempts.policy.name,
        "kitchens_tried": len(starts),
        "episodes": len(tried),
        "accepted": accepted,
        "rejected": {reason: number for reason, number in sorted(reasons.items()) if number},
        "decisions": len(decisions),
        "suboptimal": sum(d.action not in d.optimal_actions for d in decisions),
        "mean_steps": len(decisions) / accepted,
        **asdict(attempts.usage),
    }
