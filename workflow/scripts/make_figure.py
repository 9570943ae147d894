"""Draw one figure of the report, as PDF and PNG, from those results of the current scale that it needs."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.figures.results import make_figure
    from taskreason.report.figures.style import save_figure

    cfg, root = load_config(snakemake.config), Path(snakemake.params.root)
    save_figure(make_figure(Path(snakemake.output.pdf).stem, root, cfg), *snakemake.output)
