"""Write the page of the run, from its tables, figures and provenance."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.page.build import write_page
    from taskreason.report.page.run import read_trainings

    config, given = snakemake.params.config, snakemake.input
    write_page(
        Path(snakemake.output[0]),
        Path("results") / config["scale"],
        [Path(path) for path in (*given.tables, *given.figures)],
        config,
        read_trainings([Path(path) for path in given.provenance]),
        {title: Path(path) for title, path in snakemake.params.links.items()},
    )
