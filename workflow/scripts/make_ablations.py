"""Write the tables and figures of the ablations."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import list_timeouts
    from taskreason.report.figures.ablations import FIGURES
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.tables.ablations import TABLES, load_ablations, make_ablation_macros
    from taskreason.studies.ablations import list_studies

    config, params, output = snakemake.config, snakemake.params, snakemake.output
    ablations = load_ablations(
        Path(params.folder),
        list_studies(config),
        {stage: Path(snakemake.input[stage]) for stage in ("sft", "grpo")},
        list_timeouts(config)[config["ablation"]["task"]],
        config["report"]["confidence"],
    )
    for name, make in TABLES.items():
        make(ablations).write(Path("results/tables"), name)
    write_macros(make_ablation_macros(ablations, config["ablation"]), Path(output.macros))
    configured = {key: config["expert"][key] for key in ("trajectories", "noise")}
    configured["reward"] = config["grpo"]["reward"]
    for name, draw in FIGURES.items():
        paths = [f"results/figures/{name}.{kind}" for kind in ("pdf", "png")]
        save_figure(draw(ablations, configured), *paths)
