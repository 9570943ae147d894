"""Generate the training kitchens of the ablations: those of the reproduction, and more of them."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.dataset import make_kitchens
    from taskreason.studies.ablations import change

    params = snakemake.params
    cfg = load_config(change(snakemake.config, "kitchens", {"training": params.kitchens}))
    disjoint_from = [Path(path) for path in snakemake.input]
    make_kitchens(params.task, "train", cfg, Path(snakemake.output[0]), disjoint_from)
