"""Draw what the trainings of one seed rehearse."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.training.rehearsal import make_rehearsal

    make_rehearsal(configure(snakemake), snakemake.params.number, Path(snakemake.output[0]))
