"""Draw one figure of the report, as PDF and PNG, from the results of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.figures import FigureSources, make_figure
    from taskreason.report.published import load_published
    from taskreason.report.style import save_figure

    config = snakemake.config
    sources = FigureSources(
        root=Path("results") / config["scale"],
        tasks=config["tasks"],
        timeouts=config["timeouts"],
        published=load_published(config["timeouts"]),
        confidence=config["report"]["confidence"],
        kitchen_task=config["report"]["kitchen_task"],
        seeds=config["seeds"],
    )
    save_figure(make_figure(Path(snakemake.output.pdf).stem, sources), *snakemake.output)
