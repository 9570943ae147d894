"""Train the base model from scratch on chores."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.training.base_model import build_base

    build_base(
        load_config(snakemake.config),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
    )
