"""The states that a policy comes to by itself, with the teacher's replies as labels (DAgger), and scores on them.

Input: a policy's episodes and their worlds. Output: decisions in the format of the expert's trajectories, so that SFT
and GRPO train on them as on those. Action and thought are always the teacher's, whatever the policy did; the thoughts
err as the expert's do. A prompt that an episode comes to more than once counts once, and states from which the goal
can't be reached have no label and are left out. An example: where a policy puts the wrong patty down, the state after
that is labelled with the action that takes it up again.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import read_lines, write_json, write_lines
from taskreason.durability.progress import follow
from taskreason.environments.base import Decision
from taskreason.environments.reply import format_reply, read_action, read_thought
from taskreason.policies.generation import GeneratingPolicy
from taskreason.policies.loading import load_model_policy
from taskreason.policies.prompt import build_prompt
from taskreason.rollouts.dataset import load_decisions, load_starts
from taskreason.rollouts.episode import (
    FIELDS,
    Episode,
    Run,
    Start,
    read_episode,
    rollout_to_file,
)
from taskreason.rollouts.evaluate import score_single_turns
from taskreason.rollouts.thoughts import make_faulty


def write_own_states(
    task: str, cfg: Config, worlds: Path, episodes: Path, trajectories: Path, output: Path
) -> None:
    """Write the labelled states of a policy's episodes, of those worlds alone in which the trajectories lie.

    Raises UserError where no state has a label, since nothing can be trained on none.
    """
    known = {decision.layout_hash for decision in load_decisions(trajectories, cfg.expert.is_exact)}
    played = [e for e in _read_episodes(episodes) if e.layout_hash in known]
    decisions = label_episodes(played, load_starts(task, worlds, cfg.env), cfg)
    if not decisions:
        raise UserError(
            f"{episodes}: no state has a label; delete the file and run `snakemake {episodes}` to make it again."
        )
    write_lines(output, map(asdict, decisions))


def write_failed_states(task: str, cfg: Config, worlds: Path, episodes: Path, output: Path) -> None:
    """Write the labelled states of the episodes that failed; the file is empty where none did."""
    failed = [episode for episode in _read_episodes(episodes) if not episode.success]
    write_lines(
        output, map(asdict, label_episodes(failed, load_starts(task, worlds, cfg.env), cfg))
    )


def _read_episodes(path: Path) -> list[Episode]:
    return [read_episode(row) for row in read_lines(path, FIELDS.split(), str(path))]


def label_episodes(
    episodes: Collection[Episode], starts: Sequence[Start], cfg: Config
) -> list[Decision]:
    """The teacher's decision in every state that episodes come to, in their order."""
    by_world = {start.world.id: start for start in starts}
    followed = follow(episodes, "labels", len(episodes), "episodes")
    return [d for e in followed for d in label_states(by_world[e.layout_hash], e, cfg)]


def label_states(start: Start, episode: Episode, cfg: Config) -> list[Decision]:
    """The teacher's decision in every state of one episode."""
    world, run, teacher = start.world, Run(start), cfg.env.teacher(start.world)
    states = {}  # by prompt, in the order in which they are met first
    for reply in episode.replies:
        turn = run.next_turn()
        before = turn.before if cfg.prompt.history else ""
        prompt = build_prompt(world, turn.state, before)
        if teacher.distance(turn.state):
            states.setdefault(prompt, (len(run.actions), turn.state))
        run.advance(reply)
    labels = [teacher.reply(state) for _, state in states.values()]
    thoughts = make_faulty(
        cfg.expert.thought_fault,
        cfg.expert.thought_noise,
        [read_thought(label) for label in labels],
        [build_prompt(world, state, "") for _, state in states.values()],
        cfg.env,
        f"own {cfg.seed} {world.id}",
    )
    return [
        Decision(
            layout_hash=world.id,
            t=t,
            prompt=prompt,
            completion=format_reply(thought, read_action(label)),
            action=read_action(label),
            optimal_actions=tuple(teacher.optimal(state)),
            optimal_steps_left=teacher.distance(state),
        )
        for (prompt, (t, state)), label, thought in zip(
            states.items(), labels, thoughts, strict=True
        )
    ]


def judge(
    model: Path,
    task: str,
    cfg: Config,
    worlds: Path,
    failed: Path,
    episodes: Path,
    single_turn: Path,
) -> None:
    """Write a model's episodes in evaluation worlds, and how many of its greedy single replies are right.

    single_turn: the counts of :func:`score_single_turns` on the expert's states (``expert``) and those on the states
    in ``failed`` (``failed``).
    """
    policy = load_model_policy(model, cfg)
    starts = load_starts(task, worlds, cfg.env)
    size, limit = cfg.rollout.batch_size, cfg.rollout.single_turn_states
    rollout_to_file(policy, starts, cfg.timeout_of(task), size, episodes, cfg.seed)
    decisions = load_decisions(failed) if failed.stat().st_size else []
    counts = {
        "expert": score_single_turns(policy, starts, limit, cfg.env),
        "failed": score_decisions(policy, decisions),
    }
    write_json(single_turn, counts)


def score_decisions(policy: GeneratingPolicy, decisions: Sequence[Decision]) -> dict[str, int]:
    """How many replies name the teacher's action, and how many one that begins a shortest plan."""
    actions = map(read_action, policy.complete([decision.prompt for decision in decisions]))
    pairs = list(zip(actions, decisions, strict=True))
    return {
        "states": len(pairs),
        "expert": sum(action == decision.action for action, decision in pairs),
        "optimal": sum(action in decision.optimal_actions for action, decision in pairs),
    }
