# Tables, figures and the numbers of the paper, from the episodes and the training logs of the current scale.
# Light: none of these imports torch, and none of them can make a training run again.

EVALUATIONS = {
    "kitchens": EVAL_KITCHENS,
    "episodes": [
        *expand(rules.evaluate_rules.output.episodes, policy="expert"),
        *rules.evaluate_base.output.episodes,
        *expand(rules.evaluate_sft.output.episodes, task=TASKS, run=RUNS),
        *expand(rules.evaluate_grpo.output.episodes, task=TASKS, run=RUNS),
    ],
    "single_turn": [
        *expand(rules.evaluate_rules.output.single_turn, policy="expert"),
        *rules.evaluate_base.output.single_turn,
        *expand(rules.evaluate_sft.output.single_turn, task=TASKS, run=RUNS),
        *expand(rules.evaluate_grpo.output.single_turn, task=TASKS, run=RUNS),
    ],
    "published": expand(
        from_project("workflow/taskreason/environments/robotouille/data/published/{name}.csv"),
        name=["table1_main", "generalization", "setting"],
    ),
}
BASELINES = {
    "probes": rules.probe_base.output,
    "baselines": [
        *expand(
            [*rules.evaluate_rules.output.episodes, *rules.evaluate_rules.output.single_turn],
            policy=[name for name in config["report"]["baselines"] if name != "sft_longer"],
        ),
        *expand(
            [*rules.evaluate_compared.output.episodes, *rules.evaluate_compared.output.single_turn],
            policy=COMPARED,
        ),
        *expand(
            [
                *rules.evaluate_sft_longer.output.episodes,
                *rules.evaluate_sft_longer.output.single_turn,
            ],
            task=TASKS if "sft_longer" in config["report"]["baselines"] else [],
            run=RUNS,
        ),
    ],
}
TRAININGS = {
    "curves": expand(
        [rules.train_sft.output.curve, rules.train_grpo.output.curve], task=TASKS, run=RUNS
    ),
    "provenance": expand(
        [rules.train_sft.output.provenance, rules.train_grpo.output.provenance],
        task=TASKS,
        run=RUNS,
    ),
}
FIGURE_INPUT = {
    "learning_sft": {"curves": expand(rules.train_sft.output.curve, task=TASKS, run=RUNS)},
    "learning_grpo": {"curves": expand(rules.train_grpo.output.curve, task=TASKS, run=RUNS)},
    "learning_validation": {
        "curves": expand(rules.train_grpo.output.validation, task=TASKS, run=RUNS)
    },
}
REPORT_CODE = library_files(
    "rollouts/metrics.py", "report/results.py", "report/labels.py", "report/published.py"
)
TABLE_CODE = [
    *REPORT_CODE,
    *library_files(
        "report/tables/*.py",
        "report/render/latex.py",
        "report/training_logs.py",
    ),
]


rule make_tables:
    input:
        **EVALUATIONS,
        **BASELINES,
        summaries=expand(rules.collect.output.summary, task=TASKS),
        code=TABLE_CODE,
    output:
        show_in_report(TABLES, "Reproduction"),
    log:
        "results/logs/make_tables.log",
    benchmark:
        "results/benchmarks/make_tables.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scale=config["scale"],
        seeds=config["seeds"],
        report=config["report"],
        tasks=TASKS,
        policies=list_policies(config),
        timeouts={task: TIMEOUTS[task] for task in TASKS},
        bounds={task: BOUNDS[task] for task in TASKS},
    message:
        "Making the tables of the {params.scale} scale"
    script:
        "../scripts/make_tables.py"


rule make_figure:
    input:
        unpack(lambda wildcards: FIGURE_INPUT.get(wildcards.figure, EVALUATIONS)),
        code=figure_code,
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            caption="../taskreason/report/captions_rst/figure.rst",
            category="Figures",
            subcategory="Reproduction",
            labels=lambda wildcards: {"Title": FIGURE_TITLES[wildcards.figure]},
        ),
    log:
        "results/logs/make_figure/{figure}.log",
    benchmark:
        "results/benchmarks/make_figure/{figure}.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scale=config["scale"],
        seeds=config["seeds"],
        report=config["report"],
        tasks=TASKS,
        timeouts={task: TIMEOUTS[task] for task in TASKS},
        kitchen_task=config["report"]["kitchen_task"],
        code_modified=lambda wildcards: last_modified(figure_code(wildcards)),
    message:
        "Drawing {wildcards.figure}"
    script:
        "../scripts/make_figure.py"


rule make_macros:
    input:
        **EVALUATIONS,
        **BASELINES,
        **TRAININGS,
        base=rules.prepare_base.output.model,
        summaries=expand(rules.collect.output.summary, task=TASKS),
        code=[
            *REPORT_CODE,
            *library_files(
                "report/tables/bound.py",
                "report/numbers/*.py",
                "report/weights.py",
                "report/episode_choice.py",
                "report/training_logs.py",
                "report/render/latex.py",
            ),
        ],
    output:
        "results/macros.tex",
    log:
        "results/logs/make_macros.log",
    benchmark:
        "results/benchmarks/make_macros.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config={key: value for key, value in config.items() if key != "resources"},
    message:
        "Writing the numbers that the paper quotes"
    script:
        "../scripts/make_macros.py"
