"""Write the tables and figures of the theory from its measurements."""

from itertools import product
from pathlib import Path

from job import configure, logged

with logged(snakemake):
    import pandas as pd

    from taskreason.report.figures.studies import THEORY_FIGURES
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.numbers.theory import make_theory_macros
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.theory import load_theory, make_tables

    given, output, cfg = snakemake.input, snakemake.output, configure(snakemake)
    cells = product(snakemake.params.policies, cfg.tasks)
    measured = dict(zip(cells, map(Path, given.measured), strict=True))
    theory = load_theory(measured, Path(given.grid), cfg)
    tables = make_tables(theory)
    for name, table in tables.items():
        write_table(table, Path(output.tables[0]).parent, name)
    rows = {name: table.csv for name, table in tables.items()}
    rows["theory_fixed_point"] = pd.read_csv(given.fixed)
    write_macros(make_theory_macros(rows, cfg.report.confidence), Path(output.macros))
    for name, draw in THEORY_FIGURES.items():
        path = Path(output.figures[0]).parent / name
        save_figure(draw(theory), path.with_suffix(".pdf"), path.with_suffix(".png"))
