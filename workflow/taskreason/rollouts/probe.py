"""What the base model can do before any task is taught: the environment's own questions, answered greedily.

Output: {name of the probe: {"right": count, "asked": count}}, such as {"at": {"right": 399, "asked": 400}}.
"""

from collections.abc import Mapping
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import write_json
from taskreason.policies.generation import Sampling
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy
from taskreason.rollouts.dataset import load_starts


def probe(cfg: Config, model: Path, worlds: Mapping[str, Path], output: Path) -> None:
    """Write how often a model is right; worlds: unseen ones, by task."""
    sampling = Sampling(cfg.rollout.max_new_tokens)
    policy = TransformersPolicy.load(model, cfg.rollout.batch_size, sampling, choose_format(cfg))
    unseen = {
        task: [start.world for start in load_starts(task, path, cfg.env)]
        for task, path in worlds.items()
    }
    counts = {}
    for asked in cfg.env.draw_probes(cfg.probes, unseen):
        right = asked.judge(policy.complete(list(asked.prompts)))
        counts |= {name: {"right": n, "asked": len(asked.prompts)} for name, n in right.items()}
    write_json(output, counts)
