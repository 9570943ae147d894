"""Write the table of a sweep, as CSV and LaTeX."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.studies.sweep import tabulate

    source = snakemake.input
    logs = zip(
        map(Path, [*source.validation, *source.validations]),
        map(Path, [*source.curve, *source.curves]),
        strict=True,
    )
    table = tabulate(dict(zip(snakemake.params.points, logs, strict=True)))
    table.write(Path("results/tables"), "sweep")
