"""Check the base model and install it where the trainings read it."""

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.policies.prompt import choose_format
    from taskreason.training.base_model import install_base

    prompt = choose_format(configure(snakemake), trained=False)
    install_base(snakemake.params.source, folder(snakemake.output.model), prompt)
