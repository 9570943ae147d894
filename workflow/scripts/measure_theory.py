"""Measure on one policy what the theorems speak of."""

from dataclasses import replace
from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.policies.loading import load_model_policy
    from taskreason.rollouts.dataset import load_starts
    from taskreason.theory.measure import measure

    cfg = load_config(snakemake.config)
    rollout = replace(cfg.rollout, batch_size=cfg.theory.batch_size)
    policy = load_model_policy(
        folder(snakemake.input.model), replace(cfg, rollout=rollout), cfg.grpo.temperature
    )
    starts = load_starts(snakemake.wildcards.task, Path(snakemake.input.kitchens))
    measure(policy, starts[: cfg.theory.kitchens], cfg.theory, cfg.seed, Path(snakemake.output[0]))
