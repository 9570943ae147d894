"""Episodes with sampled replies, which a killed and resumed job writes byte for byte as one that was left alone.

Draws come from one generator, and logits are rounded by who shares a batch, so neither may depend on where a job was
killed. The worlds are played in portions of ``rollout.batch_size``; every portion begins with a seed of its own, and
one that was cut short is played again from its beginning. Departure from the paper, which says nothing of sampling:
an addition to its greedy episodes.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from taskreason.policies.generation import GeneratingPolicy
from taskreason.rollouts.episode import Episode, EpisodeFile, Start, run_episodes


def sample_to_file(
    policy: GeneratingPolicy,
    starts: Sequence[Start],
    timeout: int,
    batch_size: int,
    path: Path,
    seed: int = 0,
) -> list[Episode]:
    """One episode per start at the policy's temperature, written to ``path`` as JSON lines.

    starts: of one task. timeout: in steps. batch_size: episodes of a portion; another number gives other draws. Resumes
    from ``path`` + ``.partial``. An endpoint (api:NAME) draws as it likes: its episodes are whole, but not the same.
    """
    timeouts = dict.fromkeys((start.task for start in starts), timeout)
    file = EpisodeFile(path, starts, timeouts, policy, seed)
    worlds = list(file.distinct.values())
    for first in range(0, len(worlds), batch_size):
        portion = worlds[first : first + batch_size]
        if all(start.world.id in file.found for start in portion):
            continue
        policy.restart(derive_seed(seed, policy.sampling.temperature, portion[0].task, first))
        for episode in run_episodes(policy, portion, timeouts, batch_size, seed):
            file.record(episode)
    return file.finish()


def derive_seed(seed: int, temperature: float, task: str, first: int) -> int:
    """What a portion's draws begin with; first: the place of its first world among all of the task."""
    return random.Random(f"{seed} {temperature:g} {task} {first}").getrandbits(32)
