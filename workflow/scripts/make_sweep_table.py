"""Write the table of a sweep, as CSV and LaTeX."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.sweep import make_sweep

    source = snakemake.input
    logs = zip(
        map(Path, [*source.validation, *source.validations]),
        map(Path, [*source.curve, *source.curves]),
        strict=True,
    )
    table = make_sweep(dict(zip(snakemake.params.points, logs, strict=True)))
    write_table(table, Path(snakemake.output.csv).parent, "sweep")
