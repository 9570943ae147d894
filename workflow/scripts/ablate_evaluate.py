"""Play the evaluation kitchens of one task with a policy of the ablations."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.evaluate import play

    play(
        folder(snakemake.input.model),
        snakemake.params.task,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        Path(snakemake.input.kitchens),
        Path(snakemake.output[0]),
    )
