"""Write tables of the report, as CSV and LaTeX, from the episodes of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.labels import list_policies
    from taskreason.report.published import load_published
    from taskreason.report.results import load_results
    from taskreason.report.tables import write_tables

    config = snakemake.config
    tex = [Path(path) for path in snakemake.output if path.endswith(".tex")]
    write_tables(
        [path.stem for path in tex],
        load_results(
            Path("results") / config["scale"],
            config["tasks"],
            config["timeouts"],
            confidence=config["report"]["confidence"],
            policies=list_policies(config),
            seeds=config["seeds"],
            bounds=config["expert_bounds"],
        ),
        load_published(config["timeouts"]),
        tex[0].parent,
    )
