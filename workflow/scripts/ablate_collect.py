"""Collect the trajectories of another expert than the reproduction's."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.collect import collect
    from taskreason.studies.ablations import change

    cfg = load_config(change(snakemake.config, "expert", snakemake.params.expert))
    outputs = map(Path, [snakemake.output.trajectories, snakemake.output.summary])
    collect(snakemake.params.task, cfg, Path(snakemake.input.kitchens), *outputs)
