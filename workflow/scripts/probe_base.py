"""Ask the base model the questions that its environment has for it."""

from pathlib import Path

from job import by_task, configure, folder, logged

with logged(snakemake):
    from taskreason.rollouts.evaluate import probe

    probe(
        configure(snakemake),
        folder(snakemake.input.model),
        by_task(snakemake.params.tasks, snakemake.input.worlds),
        Path(snakemake.output[0]),
    )
