"""Draw one figure of the report, as PDF and PNG, from the results of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.figures.results import FigureSources, make_figure
    from taskreason.report.figures.style import save_figure
    from taskreason.report.published import load_published

    config, params = snakemake.config, snakemake.params
    sources = FigureSources(
        root=Path("results") / config["scale"],
        tasks=params.tasks,
        timeouts=params.timeouts,
        published=load_published(params.timeouts),
        confidence=config["report"]["confidence"],
        kitchen_task=params.kitchen_task,
        seeds=config["seeds"],
    )
    save_figure(make_figure(Path(snakemake.output.pdf).stem, sources), *snakemake.output)
