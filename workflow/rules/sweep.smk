# `snakemake sweep`: knobs of SFT and GRPO varied one at a time and judged on validation kitchens, as a table.
# Not part of the reproduction; the settings that it uses were chosen by looking at this table.
from taskreason.studies.sweep import UNCHANGED, list_points

POINTS = {point.name: point for point in list_points(config)}
SWEPT = config["sweep"]["task"]
SWEEP = f"{OUT}/sweep/{SWEPT}"


rule train_point:
    input:
        trajectories=f"{OUT}/trajectories/{SWEPT}.jsonl",
        base=rules.prepare_base.output.model,
        sft=lambda wildcards: (
            []
            if POINTS[wildcards.point].trains_sft
            else expand(rules.train_sft.output.model, task=SWEPT, run=RUNS[0])
        ),
        kitchens=f"{OUT}/kitchens/{SWEPT}/validation.jsonl",
    output:
        curve=f"{SWEEP}/{{point}}/grpo.csv",
        validation=f"{SWEEP}/{{point}}/grpo_validation.csv",
    log:
        f"{LOGS}/sweep/{SWEPT}/{{point}}.log",
    benchmark:
        f"{BENCHMARKS}/sweep/{SWEPT}/{{point}}.tsv"
    wildcard_constraints:
        point=one_of(POINTS),
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        task=SWEPT,
        changes=lambda wildcards: POINTS[wildcards.point].changes,
        sft=sft_of(SWEPT),
        grpo=config["grpo"],
        checkpoints=f"{OUT}/checkpoints/sweep/{SWEPT}/{{point}}",
    message:
        "Sweep on {params.task}: {wildcards.point}"
    script:
        "../scripts/train_point.py"


rule make_sweep_table:
    input:
        curves=expand(rules.train_point.output.curve, point=POINTS),
        validations=expand(rules.train_point.output.validation, point=POINTS),
        curve=expand(rules.train_grpo.output.curve, task=SWEPT, run=RUNS[0]),
        validation=expand(rules.train_grpo.output.validation, task=SWEPT, run=RUNS[0]),
    output:
        csv="results/tables/sweep.csv",
        tex="results/tables/sweep.tex",
    log:
        "results/logs/make_sweep_table.log",
    benchmark:
        "results/benchmarks/make_sweep_table.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        points=[UNCHANGED, *POINTS],
    message:
        "Making the sweep's table"
    script:
        "../scripts/make_sweep_table.py"


rule sweep:
    input:
        rules.make_sweep_table.output,
