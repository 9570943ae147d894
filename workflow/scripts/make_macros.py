"""Write every number that the paper quotes, from results and config of the current scale."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.labels import list_policies
    from taskreason.report.macros import collect_macros, write_macros
    from taskreason.report.published import load_published
    from taskreason.report.results import load_results

    config = snakemake.params.config
    root = Path("results") / config["scale"]
    results = load_results(
        root,
        config["tasks"],
        config["timeouts"],
        confidence=config["report"]["confidence"],
        policies=list_policies(config),
        seeds=config["seeds"],
        bounds=config["expert_bounds"],
    )
    published = load_published(config["timeouts"])
    write_macros(collect_macros(results, published, config, root), Path(snakemake.output[0]))
