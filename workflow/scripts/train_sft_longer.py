"""Train the SFT policy of one task on, for as many replies as GRPO trains on, with the expert's trajectories."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.train.sft import train_sft_longer

    train_sft_longer(
        snakemake.wildcards.task,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        Path(snakemake.input.trajectories),
        folder(snakemake.input.model),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
        Path(snakemake.output.provenance),
    )
