"""Write the table and the figure of the fixed point."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.fixed_point import draw_fixed_point
    from taskreason.report.figures.style import save_figure
    from taskreason.report.tables.fixed_point import load_fixed, make_table
    from taskreason.report.tables.registry import write_table

    given, output, params, cfg = (
        snakemake.input,
        snakemake.output,
        snakemake.params,
        configure(snakemake),
    )
    trained = zip(cfg.theory.beta, map(Path, given.fixed), map(Path, given.logs), strict=True)
    fixed = load_fixed(Path(given.chosen), list(trained), params.group, cfg.report.confidence)
    write_table(make_table(fixed), Path(output.tables[0]).parent, "theory_fixed_point")
    save_figure(draw_fixed_point(fixed), *output.figures)
