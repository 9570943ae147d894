# Tables, figures and the numbers of the paper, from the episodes and the training logs of the current scale. Each is a
# target with what it shows, and no other, as input. None imports torch, and none can make a training run again.
from taskreason.report.labels import GRID_POLICY, POLICIES, list_policies

EVERY_POLICY = list_policies(config)
TRAINED = [name for name in ("sft", "sft_longer", GRID_POLICY) if name in EVERY_POLICY]
GRIDS = ["generalization_sr", "generalization_asat", "generalization_asst"]
TABLE_POLICIES = {
    **{f"main_{task}": POLICIES for task in TASKS},
    **dict.fromkeys(["main", "comparison"], POLICIES),
    **dict.fromkeys(["generalization", *GRIDS], [GRID_POLICY]),
    **{"baselines": EVERY_POLICY, "bound": TRAINED, "seeds": TRAINED, "collection": []},
    **({"probes": []} if cfg.env.probe_sizes else {}),
}
FIGURE_POLICIES = {
    **dict.fromkeys(["success_rate", "steps_vs_optimal"], POLICIES),
    **dict.fromkeys([*GRIDS, "kitchen"], [GRID_POLICY]),
    **dict.fromkeys(["learning_sft", "learning_grpo", "learning_validation"], []),
}
TABLES = expand("results/tables/{name}.{kind}", name=TABLE_POLICIES, kind=["csv", "tex"])
FIGURES = expand("results/figures/{name}.{kind}", name=FIGURE_POLICIES, kind=["pdf", "png"])
PUBLISHED = sorted(map(from_project, (cfg.env.data or PROJECT_DIR).glob("published/*.csv")))
SUMMARIES = expand(rules.collect.output.summary, task=TASKS)
LOGS_SHOWN = {
    "learning_sft": training_files(".csv", stages=["sft"]),
    "learning_grpo": training_files(".csv", stages=["grpo"]),
    "learning_validation": training_files("_validation.csv", stages=["grpo"]),
}
PROVENANCE = training_files(".provenance.json", stages=["sft", "grpo"])
DATA_CODE = ["rollouts/metrics.py", "report/*.py"]
TABLE_CODE = [*DATA_CODE, "report/tables/*.py", "report/render/*.py"]
FIGURE_CODE = [*DATA_CODE, "report/figures/*.py"]
SETTINGS = {key: value for key, value in config.items() if key != "resources"}
# What all tables and figures depend on besides the files that they show.
SHARED = {
    "root": OUT,
    "seeds": config["seeds"],
    "confidence": cfg.report.confidence,
    "tasks": {task: [cfg.timeout_of(task), cfg.bound_of(task)] for task in TASKS},
}


use rule shown as make_table with:
    input:
        unpack(table_input),
        code=code_of("make_table", *TABLE_CODE),
    output:
        csv=mark("results/tables/{table}.csv", "Reproduction"),
        tex="results/tables/{table}.tex",
    pathvars:
        job="make_table/{table}",
    wildcard_constraints:
        table=one_of(TABLE_POLICIES),
    params:
        **SHARED,
        script="make_table",
        policies=lambda wildcards: TABLE_POLICIES[wildcards.table],
        shown=lambda wildcards: tasks_of(wildcards.table),
        caption=caption_of("tables"),
    message:
        "Making the table {wildcards.table}"


use rule shown as make_figure with:
    input:
        unpack(figure_input),
        code=figure_code,
    output:
        pdf="results/figures/{figure}.pdf",
        png=mark("results/figures/{figure}.png", "Reproduction"),
    pathvars:
        job="make_figure/{figure}",
    wildcard_constraints:
        figure=one_of(FIGURE_POLICIES),
    params:
        **SHARED,
        script="make_figure",
        policies=lambda wildcards: FIGURE_POLICIES[wildcards.figure],
        drawn_task=cfg.report.drawn_task,
        caption=caption_of("figures"),
        code_modified=lambda wildcards: last_modified(figure_code(wildcards)),
    message:
        "Drawing {wildcards.figure}"


use rule shown as make_macros with:
    input:
        **result_files(EVERY_POLICY),
        published=PUBLISHED,
        probes=rules.probe_base.output if cfg.env.probe_sizes else [],
        logs=training_files(".csv", stages=["sft", "grpo"]),
        provenance=PROVENANCE,
        base=rules.prepare_base.output.model,
        summaries=SUMMARIES,
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
