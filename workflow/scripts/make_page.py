"""Write the page of the run, from its tables, figures and provenance."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.page.build import write_page

    given, params = snakemake.input, snakemake.params
    write_page(
        Path(snakemake.output[0]),
        Path(params.root),
        [Path(path) for path in (*given.tables, *given.figures)],
        configure(snakemake),
        [Path(path) for path in given.provenance],
        {title: Path(path) for title, path in params.links.items()},
    )
