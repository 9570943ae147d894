"""Train one policy of one task: SFT from the base model, GRPO or longer SFT from the SFT policy."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.train.common import TrainingFiles
    from taskreason.train.grpo import train_grpo
    from taskreason.train.sft import train_sft, train_sft_longer

    files = TrainingFiles(
        trajectories=Path(snakemake.input.trajectories),
        start=folder(snakemake.input.model),
        model=folder(snakemake.output.model),
        checkpoints=Path(snakemake.params.checkpoints),
        curve=Path(snakemake.output.curve),
        provenance=Path(snakemake.output.provenance),
    )
    train = {"sft": train_sft, "sft_longer": train_sft_longer, "grpo": train_grpo}
    watched = []
    if snakemake.params.stage == "grpo":
        watched = [Path(snakemake.input.kitchens), Path(snakemake.output.validation)]
    cfg = load_config(snakemake.config).for_seed(snakemake.params.seed)
    train[snakemake.params.stage](snakemake.wildcards.task, cfg, files, *watched)
