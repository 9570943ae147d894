# Tables, figures and the numbers of the paper, from the episodes and the training logs of the current scale. Each is a
# target with what it shows, and no other, as input (taskreason/report/inputs.py says what). None imports torch, and none
# can make a training run again.
# An environment may have nothing to ask a base model, no published numbers, no other kinds of worlds, or no drawing of
# its worlds.
PUBLISHED = cfg.env.data and (cfg.env.data / "published").is_dir()
SOURCES = {"probes": cfg.env.probe_sizes, "published_tests": PUBLISHED}
SOURCES["splits"] = FURTHER and cfg.report.split_policies
TABLE_NAMES = [name for name in list_tables(cfg) if SOURCES.get(name, True)]
DRAWS = type(cfg.env).draw_figure is not Environment.draw_figure
FIGURE_NAMES = [name for name in NEEDS["figures"] if name != "kitchen" or DRAWS]
TABLES = expand("results/tables/{name}.{kind}", name=TABLE_NAMES, kind=["csv", "tex"])
FIGURES = expand("results/figures/{name}.{kind}", name=FIGURE_NAMES, kind=["pdf", "png"])
DATA_CODE = ["rollouts/metrics.py", "rollouts/orders.py", "report/*.py"]
TABLE_CODE = [*DATA_CODE, "report/tables/*.py", "report/render/*.py"]
FIGURE_CODE = [*DATA_CODE, "report/figures/*.py"]
# What all tables and figures depend on besides the files that they show.
SHARED = {
    "root": OUT,
    "seeds": config["seeds"],
    "confidence": cfg.report.confidence,
    "tasks": {task: [cfg.timeout_of(task), cfg.bound_of(task)] for task in TASKS},
}


use rule shown as make_table with:
    input:
        shown=lambda wildcards: list_inputs("tables", wildcards.table, cfg, Path(OUT)),
        code=code_of("make_table", *TABLE_CODE),
    output:
        csv=mark("results/tables/{table}.csv", "Reproduction"),
        tex="results/tables/{table}.tex",
    pathvars:
        job="make_table/{table}",
    wildcard_constraints:
        table=one_of(TABLE_NAMES),
    params:
        **SHARED,
        script="make_table",
        caption=caption_of("tables"),
    message:
        "Making the table {wildcards.table}"


use rule shown as make_figure with:
    input:
        shown=lambda wildcards: list_inputs("figures", wildcards.figure, cfg, Path(OUT)),
        code=figure_code,
    output:
        pdf="results/figures/{figure}.pdf",
        png=mark("results/figures/{figure}.png", "Reproduction"),
    pathvars:
        job="make_figure/{figure}",
    wildcard_constraints:
        figure=one_of(FIGURE_NAMES),
    params:
        **SHARED,
        script="make_figure",
        drawn_task=lambda wildcards: wildcards.figure == "kitchen" and cfg.report.drawn_task,
        caption=caption_of("figures"),
        code_modified=lambda wildcards: last_modified(figure_code(wildcards)),
    message:
        "Drawing {wildcards.figure}"


use rule shown as make_macros with:
    input:
        shown=list_inputs("macros", "macros", cfg, Path(OUT)),
        code=code_of("make_macros", *TABLE_CODE, "report/numbers/*.py"),
    output:
        "results/macros.tex",
    pathvars:
        job="make_macros",
    params:
        script="make_macros",
        root=lambda wildcards: OUT,
        config=SETTINGS,
    message:
        "Writing the numbers that the paper quotes"
