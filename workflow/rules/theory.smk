# `snakemake theory`: the paper's theorems, measured on the SFT and SFT+GRPO policies of the first seed.
# Not part of the reproduction's default target, whose time it would double.
THEORY_TABLES = [
    "theory_single",
    "theory_recursion",
    "theory_multi",
    "theory_horizons",
    "theory_grid",
]
THEORY_FIGURES = [
    "theory_single",
    "theory_recursion",
    "theory_multi",
    "theory_horizons",
    "theory_grid",
]


rule measure_theory:
    input:
        model=theory_model,
        kitchens=rules.make_evaluation_kitchens.output[0],
    output:
        f"{OUT}/theory/{{policy}}/{{task}}.jsonl",
    log:
        f"{LOGS}/theory/{{policy}}/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/theory/{{policy}}/{{task}}.tsv"
    wildcard_constraints:
        policy="sft|sft_grpo",
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        theory=config["theory"],
        prompt=config["prompt"],
        rollout=config["rollout"],
        temperature=config["grpo"]["temperature"],
        seed=config["seeds"][0],
    message:
        "Measuring the theory on {wildcards.policy} of {wildcards.task}"
    script:
        "../scripts/measure_theory.py"


rule make_theory:
    input:
        measured=expand(rules.measure_theory.output[0], policy=["sft", "sft_grpo"], task=TASKS),
        grid="results/tables/generalization.csv",
        code=library_files(
            "theory/*.py",
            "report/theory_data.py",
            "report/tables/theory*.py",
            "report/tables/cells.py",
            "report/numbers/theory.py",
            "report/render/latex.py",
            "report/figures/style.py",
            "report/figures/theory.py",
        ),
    output:
        tables=show_in_report(
            expand("results/tables/{name}.{kind}", name=THEORY_TABLES, kind=["csv", "tex"]),
            "Theory",
        ),
        figures=show_in_report(
            expand("results/figures/{name}.{kind}", name=THEORY_FIGURES, kind=["pdf", "png"]),
            "Theory",
        ),
        macros="results/theory.tex",
    log:
        "results/logs/make_theory.log",
    benchmark:
        "results/benchmarks/make_theory.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        policies=["sft", "sft_grpo"],
        beta=config["grpo"]["beta"],
        confidence=config["report"]["confidence"],
    message:
        "Making the theory's tables and figures"
    script:
        "../scripts/make_theory.py"


# The default target takes part of it where the paper is to have the section.
THEORY = rules.make_theory.output if config["report"]["theory"] else []


rule theory:
    input:
        rules.make_theory.output,
