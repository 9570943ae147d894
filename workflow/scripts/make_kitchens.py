"""Generate the training or the evaluation kitchens of one task, the latter disjoint by content."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.trajectories import make_kitchens

    training = snakemake.input.get("disjoint_from")
    make_kitchens(
        snakemake.wildcards.task,
        snakemake.params.split,
        load_config(snakemake.config),
        Path(snakemake.output[0]),
        disjoint_from=Path(training) if training else None,
    )
