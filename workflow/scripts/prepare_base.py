"""Check the folder of the base model and install it where the trainings read it."""

from job import folder, logged

with logged(snakemake):
    from taskreason.train.base import install_base

    install_base(folder(snakemake.input.model), folder(snakemake.output.model))
