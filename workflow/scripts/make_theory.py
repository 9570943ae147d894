"""Write the tables and figures of the theory from its measurements."""

from itertools import product
from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.figures.style import save_figure
    from taskreason.report.figures.theory import FIGURES
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.numbers.theory import make_theory_macros
    from taskreason.report.tables.theory import TABLES
    from taskreason.report.theory_data import load_theory, read_grid

    config, output = snakemake.config, snakemake.output
    keys = product(snakemake.params.policies, config["tasks"])
    theory = load_theory(
        dict(zip(keys, map(Path, snakemake.input.measured), strict=True)),
        config["tasks"],
        config["grpo"]["beta"],
        config["report"]["confidence"],
        read_grid(Path(snakemake.input.grid)),
        load_config(config).recipes,
    )
    tables = {name: make(theory) for name, make in TABLES.items()}
    for path in map(Path, output.tables):
        if path.suffix == ".csv":
            tables[path.stem].write(path.parent, path.stem)
    write_macros(make_theory_macros(tables), Path(output.macros))
    for path in map(Path, output.figures):
        if path.suffix == ".pdf":
            save_figure(FIGURES[path.stem](theory), path, path.with_suffix(".png"))
