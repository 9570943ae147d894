"""Play the evaluation worlds of one task with a policy of the ablations."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.rollouts.evaluate import play

    play(
        folder(snakemake.input.model),
        snakemake.params.task,
        configure(snakemake),
        Path(snakemake.input.worlds),
        Path(snakemake.output[0]),
        snakemake.params.get("temperature", 0.0),
    )
