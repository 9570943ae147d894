"""Train the base model from scratch."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.training.base_model import build_base

    build_base(
        configure(snakemake),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
    )
