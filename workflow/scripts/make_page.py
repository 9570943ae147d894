"""Write the page of the run, from its tables, figures and provenance."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.page.build import write_page

    given = snakemake.input
    write_page(
        Path(snakemake.output[0]),
        Path(snakemake.params.root),
        [Path(path) for path in (*given.tables, *given.figures)],
        load_config(snakemake.config),
        [Path(path) for path in given.provenance],
        {title: Path(path) for title, path in snakemake.params.links.items()},
    )
