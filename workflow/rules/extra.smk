# `snakemake extra_tasks`: the recipes that are not among the tasks, through every stage and with tables and figures of
# their own. Nothing of the reproduction is made again or overwritten. Not part of the default target.
EXTRA_TABLES = expand(
    "results/tables/extra/{name}.{kind}",
    name=[
        *(f"main_{task}" for task in EXTRA),
        "main",
        "generalization",
        "baselines",
        "bound",
        "collection",
        "seeds",
    ],
    kind=["csv", "tex"],
)
EXTRA_FIGURES = expand(
    "results/figures/extra/{name}.{kind}",
    name=[
        "learning_sft",
        "learning_grpo",
        "learning_validation",
        "success_rate",
        "steps_vs_optimal",
        "kitchen",
    ],
    kind=["pdf", "png"],
)
EXTRA_GALLERY = ["results/gallery/extra/index.html"]
EXTRA_KITCHENS = expand(rules.make_evaluation_kitchens.output[0], task=EXTRA)
EXTRA_BASELINES = config["report"]["baselines"]
EXTRA_SETTINGS = {
    "scale": config["scale"],
    "seeds": config["seeds"],
    "report": config["report"],
    "tasks": EXTRA,
    "timeouts": {task: TIMEOUTS[task] for task in EXTRA},
}


if EXTRA:

    use rule evaluate_rules as evaluate_extra_rules with:
        input:
            kitchens=EXTRA_KITCHENS,
        output:
            episodes=episode_files("{policy}", "-", EXTRA),
            single_turn=single_turn_files("{policy}", "-", EXTRA),
        log:
            f"{LOGS}/evaluate/extra/{{policy}}.log",
        benchmark:
            f"{BENCHMARKS}/evaluate/extra/{{policy}}.tsv"
        params:
            policy="{policy}",
            train_task="-",
            eval_tasks=EXTRA,
            seed=config["seeds"][0],
            evaluation=evaluation_of(EXTRA),

    use rule evaluate_base as evaluate_extra_base with:
        input:
            model=rules.prepare_base.output.model,
            kitchens=EXTRA_KITCHENS,
        output:
            episodes=episode_files("base", "-", EXTRA),
            single_turn=single_turn_files("base", "-", EXTRA),
        log:
            f"{LOGS}/evaluate/extra/base.log",
        benchmark:
            f"{BENCHMARKS}/evaluate/extra/base.tsv"
        params:
            policy="base",
            train_task="-",
            eval_tasks=EXTRA,
            seed=config["seeds"][0],
            evaluation=evaluation_of(EXTRA),

    use rule evaluate_grpo as evaluate_extra_grpo with:
        input:
            model=rules.train_grpo.output.model,
            kitchens=EXTRA_KITCHENS,
        output:
            episodes=episode_files("sft_grpo", "{task}{run}", EXTRA),
            single_turn=single_turn_files("sft_grpo", "{task}{run}", EXTRA),
        log:
            f"{LOGS}/evaluate/extra/sft_grpo/{{task}}{{run}}.log",
        benchmark:
            f"{BENCHMARKS}/evaluate/extra/sft_grpo/{{task}}{{run}}.tsv"
        params:
            policy="sft_grpo",
            train_task=lambda wildcards: wildcards.task,
            eval_tasks=EXTRA,
            seed=seed_of,
            evaluation=evaluation_of(EXTRA),

    EXTRA_EVALUATIONS = {
        "kitchens": EXTRA_KITCHENS,
        "episodes": list_extra("episodes"),
        "single_turn": list_extra("single_turn"),
        "published": EVALUATIONS["published"],
    }

    use rule make_tables as make_extra_tables with:
        input:
            **EXTRA_EVALUATIONS,
            summaries=expand(rules.collect.output.summary, task=EXTRA),
            code=TABLE_CODE,
        output:
            show_in_report(EXTRA_TABLES, "Extra tasks"),
        log:
            "results/logs/make_extra_tables.log",
        benchmark:
            "results/benchmarks/make_extra_tables.tsv"
        params:
            **EXTRA_SETTINGS,
            policies=[*POLICIES, *EXTRA_BASELINES],
            bounds={task: BOUNDS[task] for task in EXTRA},
        message:
            "Making the tables of the extra tasks at the {params.scale} scale"

    use rule make_figure as make_extra_figure with:
        input:
            **EXTRA_EVALUATIONS,
            curves=expand(
                [
                    rules.train_sft.output.curve,
                    rules.train_grpo.output.curve,
                    rules.train_grpo.output.validation,
                ],
                task=EXTRA,
                run=RUNS,
            ),
            code=figure_code,
        output:
            pdf="results/figures/extra/{figure}.pdf",
            png=report(
                "results/figures/extra/{figure}.png",
                caption="../taskreason/report/captions_rst/figure.rst",
                category="Figures",
                subcategory="Extra tasks",
                labels=lambda wildcards: {"Title": FIGURE_TITLES[wildcards.figure]},
            ),
        log:
            "results/logs/make_extra_figure/{figure}.log",
        benchmark:
            "results/benchmarks/make_extra_figure/{figure}.tsv"
        params:
            **EXTRA_SETTINGS,
            kitchen_task=EXTRA[0],
            code_modified=lambda wildcards: last_modified(figure_code(wildcards)),
        message:
            "Drawing {wildcards.figure} of the extra tasks"

    use rule make_gallery as make_extra_gallery with:
        input:
            kitchens=EXTRA_KITCHENS,
            episodes=EXTRA_EVALUATIONS["episodes"],
            page=gallery_sources(),
            code=library_files("report/gallery/*.py", "report/labels.py"),
        output:
            EXTRA_GALLERY,
        log:
            "results/logs/make_extra_gallery.log",
        benchmark:
            "results/benchmarks/make_extra_gallery.tsv"
        params:
            scale=config["scale"],
            tasks=EXTRA,
            timeouts=EXTRA_SETTINGS["timeouts"],
            kitchens=config["report"]["gallery"],
        message:
            "Making the episode gallery of the extra tasks"


rule extra_tasks:
    input:
        [*EXTRA_TABLES, *EXTRA_FIGURES, *EXTRA_GALLERY] if EXTRA else [],
