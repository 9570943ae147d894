"""Write the table of a sweep, as CSV and LaTeX."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.sweep import tabulate

    source = snakemake.input
    logs = zip(
        map(Path, [*source.validation, *source.validations]),
        map(Path, [*source.curve, *source.curves]),
        strict=True,
    )
    frame, tex = tabulate(dict(zip(snakemake.params.points, logs, strict=True)))
    frame.to_csv(snakemake.output.csv, index=False, float_format="%.10g")
    Path(snakemake.output.tex).write_text(tex)
