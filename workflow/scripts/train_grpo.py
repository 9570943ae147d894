"""Train the GRPO policy of one task from its SFT policy and the expert's states."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.train.grpo import train_grpo

    train_grpo(
        snakemake.wildcards.task,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        Path(snakemake.input.trajectories),
        folder(snakemake.input.model),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
        Path(snakemake.output.provenance),
    )
