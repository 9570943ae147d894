"""Ask the base model where things are, and let it do single chores."""

from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.environments.robotouille.pretraining.probes import probe

    probe(
        load_config(snakemake.config),
        folder(snakemake.input.model),
        [Path(path) for path in snakemake.input.kitchens],
        Path(snakemake.output[0]),
    )
