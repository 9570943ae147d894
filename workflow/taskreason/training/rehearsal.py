"""What trainings rehearse: decisions of the environment on no task, drawn once a seed for all that use them.

The first decisions of a seed are the same however many are drawn, so one file serves trainings that want different
numbers of them. A training that has no file, or wants more than its file holds, draws them itself. Light: no torch.
"""

from dataclasses import asdict
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import write_lines
from taskreason.environments.base import Decision
from taskreason.rollouts.dataset import load_decisions
from taskreason.training import count_steps

LONGER = 1_000_000
"""What the seed of longer SFT adds to the training's seed."""


def count_rehearsed(number: int, share: float) -> int:
    """Rehearsed examples to be added to ``number`` of a task so that they make up ``share`` of the whole."""
    return round(number * share / (1 - share))


def count_replies(cfg: Config, decisions: int) -> int:
    """Replies that GRPO samples where a task has so many decisions; longer SFT trains on as many."""
    pool = decisions + count_rehearsed(decisions, cfg.grpo.rehearsal)
    return count_steps(cfg.grpo, pool) * cfg.grpo.prompts_per_step * cfg.grpo.group_size


def count_most(cfg: Config, bound: int) -> int:
    """Decisions that any training of a task rehearses at most; bound: on the length of its trajectories."""
    decisions = cfg.expert.trajectories * bound
    of_grpo = count_rehearsed(decisions, cfg.grpo.rehearsal)
    share = cfg.sft.rehearsal
    if not share:
        return of_grpo
    # Longer SFT takes whole epochs, so up to one more than it trains on.
    longer = count_replies(cfg, decisions) * (1 - share) + decisions
    lessons = count_rehearsed(max(cfg.sft.epochs * decisions, longer), share)
    return max(of_grpo, cfg.env.rehearsal.count_decisions(lessons))


def make_rehearsal(cfg: Config, number: int, output: Path) -> None:
    """Write the first ``number`` decisions of the configuration's seed."""
    write_lines(output, map(asdict, cfg.env.rehearsal.draw_decisions(cfg.seed, number)))


def take_decisions(cfg: Config, seed: int, number: int, file: Path | None) -> list[Decision]:
    """The first ``number`` decisions of a seed, from its file where that holds as many."""
    if not number:
        return []
    drawn = load_decisions(file) if file else []
    if len(drawn) < number:
        drawn = cfg.env.rehearsal.draw_decisions(seed, number)
    return drawn[:number]
