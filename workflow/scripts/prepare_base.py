"""Check the base model and install it where the trainings read it."""

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.training.base_model import install_base

    install_base(
        snakemake.params.source, folder(snakemake.output.model), configure(snakemake).prompt
    )
