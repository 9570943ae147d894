"""Write the tables and figures of the ablations."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.figures.ablations import FIGURES
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.ablations import make_ablation_macros
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.tables.ablations import load_ablations, make_points, make_turns
    from taskreason.report.tables.registry import write_table
    from taskreason.studies.ablations import list_studies

    cfg, output = load_config(snakemake.config), snakemake.output
    own = {stage: Path(snakemake.input[stage]) for stage in ("sft", "grpo")}
    studies = list_studies(snakemake.config)
    ablations = load_ablations(Path(snakemake.params.folder), studies, own, cfg)
    points, turns = make_points(ablations), make_turns(ablations)
    for name, table in (("ablation_points", points), ("ablation_turns", turns)):
        write_table(table, Path(output.tables[0]).parent, name)
    write_macros(make_ablation_macros(points, turns, cfg), Path(output.macros))
    for name, draw in FIGURES.items():
        path = Path(output.figures[0]).parent / name
        save_figure(draw(ablations), path.with_suffix(".pdf"), path.with_suffix(".png"))
