"""Write the table of a sweep, as CSV and LaTeX."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.studies import make_sweep

    given, path = snakemake.input, Path(snakemake.output.csv)
    logs = zip(map(Path, given.validations), map(Path, given.curves), strict=True)
    table = make_sweep(dict(zip(snakemake.params.points, logs, strict=True)))
    write_table(table, path.parent, path.stem)
