"""Generate the kitchens of one split of one task, disjoint by content from those of the splits before."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.dataset import make_kitchens

    make_kitchens(
        snakemake.wildcards.task,
        snakemake.params.split,
        load_config(snakemake.config),
        Path(snakemake.output[0]),
        disjoint_from=[Path(path) for path in snakemake.input],
    )
