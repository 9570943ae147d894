"""Write the table and the figure of whose states a policy is trained on."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.regimes import draw_states
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.numbers.states import make_state_macros
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.states import make_states

    output, cfg = snakemake.output, configure(snakemake)
    table = make_states(Path(snakemake.params.folder), cfg)
    write_table(table, Path(output.tables[0]).parent, "states")
    write_macros(make_state_macros(table.csv, cfg), Path(output.macros))
    save_figure(draw_states(table.csv), *output.figures)
