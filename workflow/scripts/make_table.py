"""Write one table of the report, as CSV and LaTeX, from the episodes of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.published import load_published
    from taskreason.report.results import load_results
    from taskreason.report.tables.main import make_table

    params, path = snakemake.params, Path(snakemake.output.csv)
    timeouts = {task: timeout for task, (timeout, _) in params.tasks.items()}
    results = load_results(
        Path(params.root),
        params.shown,
        timeouts,
        confidence=params.confidence,
        policies=params.policies,
        seeds=params.seeds,
        bounds={task: bound for task, (_, bound) in params.tasks.items()},
    )
    make_table(path.stem, results, load_published(timeouts)).write(path.parent, path.stem)
