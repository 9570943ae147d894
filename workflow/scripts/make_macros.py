"""Write every number that the paper quotes, from results and configuration of the current scale."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.numbers.macros import collect_macros, write_macros
    from taskreason.report.results import load_results

    results = load_results(Path(snakemake.params.root), configure(snakemake))
    macros = collect_macros(results)
    write_macros(macros, Path(snakemake.output[0]))
