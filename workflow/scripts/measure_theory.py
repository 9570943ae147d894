"""Measure on one policy what the theorems speak of."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.policies.reader import Reader
    from taskreason.rollouts.dataset import load_starts
    from taskreason.theory.measure import measure

    cfg, given = configure(snakemake), snakemake.input
    reader = Reader.load(folder(given.model), cfg, snakemake.params.temperature)
    starts = load_starts(snakemake.params.task, Path(given.worlds), cfg.env)
    measure(reader, starts[: cfg.theory.worlds], cfg, Path(snakemake.output[0]))
