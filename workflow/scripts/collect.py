"""Collect one task's expert trajectories by rejection sampling."""

from dataclasses import replace
from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.collect import collect

    cfg = load_config(snakemake.config)
    if snakemake.params.model:  # a folder's name is relative to the working directory
        cfg = replace(cfg, expert=replace(cfg.expert, model=snakemake.params.model))
    collect(
        snakemake.wildcards.task,
        cfg,
        Path(snakemake.input.kitchens),
        Path(snakemake.output.trajectories),
        Path(snakemake.output.summary),
    )
