"""Write every number that the paper quotes, from results and config of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import list_bounds, list_timeouts
    from taskreason.report.labels import list_policies
    from taskreason.report.numbers.macros import collect_macros, write_macros
    from taskreason.report.published import load_published
    from taskreason.report.results import load_results

    config = snakemake.params.config
    root = Path("results") / config["scale"]
    timeouts = list_timeouts(config)
    results = load_results(
        root,
        config["tasks"],
        timeouts,
        confidence=config["report"]["confidence"],
        policies=list_policies(config),
        seeds=config["seeds"],
        bounds=list_bounds(config),
    )
    published = load_published(timeouts)
    write_macros(collect_macros(results, published, config, root), Path(snakemake.output[0]))
