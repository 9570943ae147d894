"""Draw the worlds of one split of one task, disjoint from those of the splits before."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.rollouts.dataset import make_worlds

    make_worlds(
        snakemake.params.task,
        snakemake.params.split,
        configure(snakemake),
        Path(snakemake.output[0]),
        disjoint_from=[Path(path) for path in snakemake.input],
    )
