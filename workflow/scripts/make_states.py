"""Write the table and the figure of whose states a policy is trained on."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.regimes import draw_states
    from taskreason.report.figures.style import save_figure
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.states import make_states

    output = snakemake.output
    table = make_states(Path(snakemake.params.folder), configure(snakemake))
    write_table(table, Path(output.tables[0]).parent, "states")
    save_figure(draw_states(table.csv), *output.figures)
