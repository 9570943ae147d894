"""Train one policy of one task: SFT from the base model, GRPO or longer SFT from an SFT policy."""

from dataclasses import replace
from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.training.launch import Job, run
    from taskreason.training.setup import TrainingFiles

    given, output, params = snakemake.input, snakemake.output, snakemake.params
    files = TrainingFiles(
        trajectories=Path(given.trajectories),
        start=folder(given.model),
        model=folder(output.model),
        checkpoints=Path(params.checkpoints),
        curve=Path(output.curve),
        provenance=Path(output.provenance),
    )
    if drawn := given.get("rehearsal"):
        files = replace(files, rehearsal=Path(drawn))
    if params.stage == "grpo":
        training = Path(given.training) if given.training else None
        worlds, validation = Path(given.validation), Path(output.validation)
        files = replace(files, worlds=worlds, validation=validation, training=training)
    job = Job(params.stage, params.task, files, params.get("tokens", 0))
    run(job, configure(snakemake))
