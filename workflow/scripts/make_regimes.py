"""Write the map of regimes: table, figures, and the law in one sentence."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.regimes import REGIME_FIGURES
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.numbers.regimes import find_law, make_regime_macros
    from taskreason.report.tables.regimes import make_regimes
    from taskreason.report.tables.registry import write_table

    output, cfg = snakemake.output, configure(snakemake)
    table = make_regimes(Path(snakemake.params.folder), cfg)
    write_table(table, Path(output.tables[0]).parent, "regimes")
    law = find_law(table.csv, cfg)
    write_macros(make_regime_macros(table.csv, law, cfg), Path(output.macros))
    Path(output.law).write_text(f"{law.sentence}\n")
    for name, draw in REGIME_FIGURES.items():
        path = Path(output.figures[0]).parent / name
        save_figure(draw(table.csv), path.with_suffix(".pdf"), path.with_suffix(".png"))
