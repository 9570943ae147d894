"""Train one policy of one task: SFT from the base model, GRPO or longer SFT from the SFT policy."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.training.launch import Job, run
    from taskreason.training.setup import TrainingFiles

    files = TrainingFiles(
        trajectories=Path(snakemake.input.trajectories),
        start=folder(snakemake.input.model),
        model=folder(snakemake.output.model),
        checkpoints=Path(snakemake.params.checkpoints),
        curve=Path(snakemake.output.curve),
        provenance=Path(snakemake.output.provenance),
    )
    watched = {}
    if snakemake.params.stage == "grpo":
        watched["kitchens"] = Path(snakemake.input.kitchens)
        watched["validation"] = Path(snakemake.output.validation)
        watched["training"] = Path(snakemake.input.training) if snakemake.input.training else None
    task = snakemake.wildcards.task
    cfg = load_config(snakemake.config).for_task(task).for_seed(snakemake.params.seed)
    run(Job(snakemake.params.stage, task, files, **watched), cfg)
