"""Write every number that the paper quotes, from results and configuration of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.numbers.macros import collect_macros, write_macros
    from taskreason.report.results import load_results

    results = load_results(Path(snakemake.params.root), load_config(snakemake.config))
    macros = collect_macros(results)
    write_macros(macros, Path(snakemake.output[0]))
