"""Measure on one policy what the theorems speak of."""

from dataclasses import replace
from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.policies.loading import load_model_policy
    from taskreason.rollouts.dataset import load_starts
    from taskreason.theory.measure import measure

    cfg, given = configure(snakemake), snakemake.input
    rollout = replace(cfg.rollout, batch_size=cfg.theory.batch_size)
    policy = load_model_policy(
        folder(given.model), replace(cfg, rollout=rollout), snakemake.params.temperature
    )
    starts = load_starts(snakemake.params.task, Path(given.worlds), cfg.env)
    measure(policy, starts[: cfg.theory.worlds], cfg, Path(snakemake.output[0]))
