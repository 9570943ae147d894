"""Collect one task's expert trajectories by rejection sampling."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.trajectories import collect

    collect(
        snakemake.wildcards.task,
        load_config(snakemake.config),
        Path(snakemake.input.kitchens),
        Path(snakemake.output.trajectories),
        Path(snakemake.output.summary),
    )
