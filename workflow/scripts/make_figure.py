"""Draw one figure of the report, as PDF and PNG, from those results of the current scale that it needs."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.results import make_figure
    from taskreason.report.figures.style import save_figure

    name, root = Path(snakemake.output.pdf).stem, Path(snakemake.params.root)
    save_figure(make_figure(name, root, configure(snakemake)), *snakemake.output)
