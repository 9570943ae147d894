"""Write the tables and figures of the ablations."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.figures.studies import ABLATION_FIGURES
    from taskreason.report.figures.style import save_figure
    from taskreason.report.numbers.macros import write_macros
    from taskreason.report.numbers.studies import make_ablation_macros
    from taskreason.report.tables.registry import write_table
    from taskreason.report.tables.studies import (
        load_ablations,
        make_experts,
        make_points,
        make_turns,
    )
    from taskreason.studies.ablations import list_experts, list_studies

    given, output, cfg = snakemake.input, snakemake.output, configure(snakemake)
    own = {"sft": Path(given.sft), "grpo": Path(given.grpo)}
    studies, experts = list_studies(snakemake.config), list_experts(snakemake.config)
    ablations = load_ablations(Path(snakemake.params.folder), studies, experts, own, cfg)
    tables = {
        "ablation_points": make_points(ablations),
        "ablation_experts": make_experts(ablations),
        "ablation_turns": make_turns(ablations),
    }
    for name, table in tables.items():
        write_table(table, Path(output.tables[0]).parent, name)
    write_macros(make_ablation_macros(*tables.values(), cfg), Path(output.macros))
    for name, draw in ABLATION_FIGURES.items():
        path = Path(output.figures[0]).parent / name
        save_figure(draw(ablations), path.with_suffix(".pdf"), path.with_suffix(".png"))
