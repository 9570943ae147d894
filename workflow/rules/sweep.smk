# `snakemake sweep`: settings of SFT and GRPO varied one at a time and judged in validation worlds, as a table.
# Not part of the reproduction; the settings that it uses were chosen by looking at this table.
from taskreason.studies.ablations import UNCHANGED, list_points

POINTS = list_points(config)
SWEPT = cfg.sweep.task
SWEEP = f"{OUT}/sweep/{SWEPT}"


use rule heavy as train_point with:
    input:
        trajectories=f"{OUT}/trajectories/{SWEPT}.jsonl",
        base=rules.prepare_base.output.model,
        sft=lambda wildcards: (
            [] if "sft" in POINTS[wildcards.point] else model_files(f"{OUT}/models/{SWEPT}/sft")
        ),
        validation=world_file(SWEPT, "validation"),
    output:
        curve=f"{SWEEP}/{{point}}/grpo.csv",
        validation=f"{SWEEP}/{{point}}/grpo_validation.csv",
    pathvars:
        job=f"sweep/{SWEPT}/{{point}}",
    wildcard_constraints:
        point=one_of(POINTS),
    params:
        script="train_point",
        needs=["training"],
        task=SWEPT,
        changes=lambda wildcards: POINTS[wildcards.point],
        sft=asdict(cfg.for_task(SWEPT).sft),
        grpo=asdict(cfg.for_task(SWEPT).grpo),
        checkpoints=f"{OUT}/checkpoints/sweep/{SWEPT}/{{point}}",
    message:
        "Sweep on {params.task}: {wildcards.point}"


use rule shown as make_sweep_table with:
    input:
        curves=[
            f"{OUT}/training/{SWEPT}/grpo.csv",
            *expand(rules.train_point.output.curve, point=POINTS),
        ],
        validations=[
            f"{OUT}/training/{SWEPT}/grpo_validation.csv",
            *expand(rules.train_point.output.validation, point=POINTS),
        ],
    output:
        csv="results/tables/sweep.csv",
        tex="results/tables/sweep.tex",
    pathvars:
        job="make_sweep_table",
    params:
        script="make_sweep_table",
        points=[UNCHANGED, *POINTS],
    message:
        "Making the sweep's table"


rule sweep:
    input:
        rules.make_sweep_table.output,
