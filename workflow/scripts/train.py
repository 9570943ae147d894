"""Train one policy of one task: SFT from the base model, GRPO or longer SFT from the SFT policy."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.train.grpo import train_grpo
    from taskreason.train.sft import train_sft, train_sft_longer

    train = {"sft": train_sft, "sft_longer": train_sft_longer, "grpo": train_grpo}
    watched = {}
    if snakemake.params.stage == "grpo":
        watched = {
            "kitchens_path": Path(snakemake.input.kitchens),
            "validation_csv": Path(snakemake.output.validation),
        }
    train[snakemake.params.stage](
        snakemake.wildcards.task,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        Path(snakemake.input.trajectories),
        folder(snakemake.input.model),
        folder(snakemake.output.model),
        Path(snakemake.params.checkpoints),
        Path(snakemake.output.curve),
        Path(snakemake.output.provenance),
        **watched,
    )
