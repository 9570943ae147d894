"""Check the base model and install it where the trainings read it."""

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.training.base_model import install_base

    install_base(
        snakemake.params.source,
        folder(snakemake.output.model),
        load_config(snakemake.config).prompt,
    )
