"""Write tables of the report, as CSV and LaTeX, each from those results of the current scale that it needs."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.tables.registry import make_table, write_table

    cfg, root = load_config(snakemake.config), Path(snakemake.params.root)
    for path in (Path(path) for path in snakemake.output if path.endswith(".csv")):
        write_table(make_table(path.stem, root, cfg), path.parent, path.stem)
