"""Collect the trajectories of another expert than the reproduction's."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.ablations import change
    from taskreason.collection import collect
    from taskreason.config import load_config

    cfg = load_config(change(snakemake.config, "expert", snakemake.params.expert))
    outputs = map(Path, [snakemake.output.trajectories, snakemake.output.summary])
    collect(snakemake.params.task, cfg, Path(snakemake.input.kitchens), *outputs)
