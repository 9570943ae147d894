"""Rollouts in unseen worlds of further kinds: those of an environment's ``splits``, which no training is drawn from.

Input: the worlds of every split of one task; output: one file with the episodes of all, in the order of the splits. An
episode belongs to the split whose file has its world, since no two splits share one.
"""

from collections.abc import Sequence
from pathlib import Path

from taskreason.config.models import Config
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import rollout_to_file


def play_splits(
    policy: str,
    model: Path | None,
    task: str,
    cfg: Config,
    worlds: Sequence[Path],
    episodes: Path,
) -> None:
    """Write a policy's episodes in the worlds of several files. model: its folder; None for the expert and rules."""
    rules = model is None
    actor = load_rules(policy, cfg.seed, cfg.env) if rules else load_model_policy(model, cfg)
    starts = [start for path in worlds for start in load_starts(task, path, cfg.env)]
    rollout_to_file(actor, starts, cfg.timeout_of(task), cfg.rollout.batch_size, episodes, cfg.seed)
