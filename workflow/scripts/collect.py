"""Collect one task's expert trajectories by rejection sampling."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.rollouts.collect import collect

    collect(
        snakemake.params.task,
        configure(snakemake),
        Path(snakemake.input.worlds),
        Path(snakemake.output.trajectories),
        Path(snakemake.output.summary),
    )
