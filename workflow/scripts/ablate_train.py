"""SFT on another expert's trajectories, or GRPO as one of the ablations has it."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.studies.ablations import change
    from taskreason.training.launch import Job, run
    from taskreason.training.setup import TrainingFiles

    params, given, output = snakemake.params, snakemake.input, snakemake.output
    config = change(snakemake.config, "expert", params.expert)
    config = change(config, "grpo", params.grpo)
    files = TrainingFiles(
        trajectories=Path(given.trajectories),
        start=folder(given.model),
        model=folder(output.model),
        checkpoints=Path(params.checkpoints),
        curve=Path(output.curve),
        provenance=Path(output.provenance),
    )
    watched = []
    if params.stage == "grpo":
        watched = [*map(Path, [given.validation, output.validation, given.training]), params.tokens]
    cfg = load_config(config).for_task(params.task).for_seed(params.seed)
    run(Job(params.stage, params.task, files, *watched), cfg)
