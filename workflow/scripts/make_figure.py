"""Draw one figure of the report, as PDF and PNG, from the results of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.figures.results import FigureSources, make_figure
    from taskreason.report.figures.style import save_figure
    from taskreason.report.published import load_published

    params, output = snakemake.params, snakemake.output
    timeouts = {task: timeout for task, (timeout, _) in params.tasks.items()}
    sources = FigureSources(
        root=Path(params.root),
        tasks=list(timeouts),
        timeouts=timeouts,
        published=load_published(timeouts),
        confidence=params.confidence,
        drawn_task=params.drawn_task,
        seeds=params.seeds,
        policies=params.policies,
    )
    save_figure(make_figure(Path(output.pdf).stem, sources), output.pdf, output.png)
