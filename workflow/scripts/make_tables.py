"""Write tables of the report, as CSV and LaTeX, from the episodes of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.published import load_published
    from taskreason.report.results import load_results
    from taskreason.report.tables.main import write_tables

    config, params = snakemake.config, snakemake.params
    tex = [Path(path) for path in snakemake.output if path.endswith(".tex")]
    write_tables(
        [path.stem for path in tex],
        load_results(
            Path("results") / config["scale"],
            params.tasks,
            params.timeouts,
            confidence=config["report"]["confidence"],
            policies=params.policies,
            seeds=config["seeds"],
            bounds=params.bounds,
        ),
        load_published(params.timeouts),
        tex[0].parent,
    )
