"""Write one table of the report, as CSV and LaTeX, from the results of the current scale."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.tables.registry import make_table, write_table

    path = Path(snakemake.output.csv)
    table = make_table(path.stem, Path(snakemake.params.root), configure(snakemake))
    write_table(table, path.parent, path.stem)
