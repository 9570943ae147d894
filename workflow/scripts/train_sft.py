"""Train the SFT policy of one task from the base model and the expert's trajectories."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.train.sft import train_sft

    train_sft(
        snakemake.wildcards.task,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        Path(snakemake.input.trajectories),
        folder(snakemake.input.model),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
        Path(snakemake.output.provenance),
    )
