# `snakemake ablations`: other numbers of trajectories, an expert with slips, another reward, and GRPO on whole episodes.
# Not part of the reproduction's default target.
from taskreason.studies.ablations import PLAIN, list_starts, list_studies

STARTS, STUDIES = list_starts(config), list_studies(config)
ABLATED = config["ablation"]["task"]
ABLATION = f"{OUT}/ablation/{ABLATED}"


# The reproduction's training kitchens come first, since the seed is the same; none of them is used to judge a policy.
rule ablate_kitchens:
    input:
        validation=f"{OUT}/kitchens/{ABLATED}/validation.jsonl",
        evaluation=f"{OUT}/kitchens/{ABLATED}/eval.jsonl",
    output:
        f"{ABLATION}/kitchens.jsonl",
    log:
        f"{LOGS}/ablation/{ABLATED}/kitchens.log",
    benchmark:
        f"{BENCHMARKS}/ablation/{ABLATED}/kitchens.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        task=ABLATED,
        kitchens=config["ablation"]["kitchens"],
        drawn={key: config["kitchens"][key] for key in ["mode", "train_seed"]},
    message:
        "Generating training kitchens of {params.task} for the ablations"
    script:
        "../scripts/ablate_kitchens.py"


rule ablate_collect:
    input:
        kitchens=rules.ablate_kitchens.output[0],
        model=model_source(EXPERT) if EXPERT_IS_MODEL else [],
    output:
        trajectories=f"{ABLATION}/sft/{{name}}/trajectories.jsonl",
        summary=f"{ABLATION}/sft/{{name}}/trajectories.summary.json",
    log:
        f"{LOGS}/ablation/{ABLATED}/collect/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/ablation/{ABLATED}/collect/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(STARTS),
    conda:
        TRAIN_ENV if EXPERT_IS_MODEL else LIGHT_ENV
    threads: 1
    resources:
        gpu=EXPERT_GPUS,
        mem_mb=heavy_memory if EXPERT_IS_MODEL else 1000,
        runtime=heavy_runtime if EXPERT_IS_MODEL else 60,
    params:
        task=ABLATED,
        expert=lambda wildcards: config["expert"] | STARTS[wildcards.name],
        prompt=config["prompt"],
        bound=BOUNDS[ABLATED],
    message:
        "Collecting expert trajectories of {params.task}, {wildcards.name}"
    script:
        "../scripts/ablate_collect.py"


rule ablate_sft:
    input:
        model=rules.prepare_base.output.model,
        trajectories=rules.ablate_collect.output.trajectories,
    output:
        model=model_files(f"{ABLATION}/sft/{{name}}/model"),
        curve=f"{ABLATION}/sft/{{name}}/log.csv",
        provenance=f"{ABLATION}/sft/{{name}}/provenance.json",
    log:
        f"{LOGS}/ablation/{ABLATED}/sft/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/ablation/{ABLATED}/sft/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(STARTS),
    priority: 20
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        stage="sft",
        task=ABLATED,
        expert=lambda wildcards: STARTS[wildcards.name],
        prompt=config["prompt"],
        train=config["train"],
        sft=sft_of(ABLATED),
        grpo={},
        seed=config["seeds"][0],
        checkpoints=f"{OUT}/checkpoints/ablation/{ABLATED}/sft/{{name}}",
    message:
        "SFT on {params.task}, {wildcards.name}"
    script:
        "../scripts/ablate_train.py"


rule ablate_grpo:
    input:
        model=start_of,
        trajectories=trajectories_of,
        training=rules.ablate_kitchens.output[0],
        validation=f"{OUT}/kitchens/{ABLATED}/validation.jsonl",
    output:
        model=model_files(f"{ABLATION}/grpo/{{name}}/model"),
        curve=f"{ABLATION}/grpo/{{name}}/log.csv",
        validation=f"{ABLATION}/grpo/{{name}}/validation.csv",
        provenance=f"{ABLATION}/grpo/{{name}}/provenance.json",
    log:
        f"{LOGS}/ablation/{ABLATED}/grpo/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/ablation/{ABLATED}/grpo/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(STUDIES),
    priority: 30
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        stage="grpo",
        task=ABLATED,
        expert=lambda wildcards: STARTS.get(STUDIES[wildcards.name].start, {}),
        prompt=config["prompt"],
        train=config["train"],
        grpo=lambda wildcards: config["grpo"] | STUDIES[wildcards.name].grpo,
        timeout=TIMEOUTS[ABLATED],
        seed=lambda wildcards: STUDIES[wildcards.name].seed,
        tokens=lambda wildcards: STUDIES[wildcards.name].tokens,
        checkpoints=f"{OUT}/checkpoints/ablation/{ABLATED}/grpo/{{name}}",
    message:
        "GRPO on {params.task}, {wildcards.name}"
    script:
        "../scripts/ablate_train.py"


rule ablate_evaluate:
    input:
        model=model_files(f"{ABLATION}/{{stage}}/{{name}}/model"),
        kitchens=f"{OUT}/kitchens/{ABLATED}/eval.jsonl",
    output:
        f"{ABLATION}/{{stage}}/{{name}}/episodes.jsonl",
    log:
        f"{LOGS}/ablation/{ABLATED}/evaluate/{{stage}}/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/ablation/{ABLATED}/evaluate/{{stage}}/{{name}}.tsv"
    wildcard_constraints:
        stage="sft|grpo",
        name=one_of([*STARTS, *STUDIES]),
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        task=ABLATED,
        evaluation=evaluation_of([ABLATED]),
        seed=lambda wildcards: (
            STUDIES[wildcards.name].seed if wildcards.name in STUDIES else config["seeds"][0]
        ),
    message:
        "Rollouts on {params.task} after {wildcards.stage}, {wildcards.name}"
    script:
        "../scripts/ablate_evaluate.py"


rule make_ablations:
    input:
        sft=expand(f"{OUT}/episodes/sft/{ABLATED}{{run}}/{ABLATED}.jsonl", run=RUNS[0])[0],
        grpo=expand(f"{OUT}/episodes/sft_grpo/{ABLATED}{{run}}/{ABLATED}.jsonl", run=RUNS[0])[0],
        episodes=[
            *expand(f"{ABLATION}/sft/{{name}}/episodes.jsonl", name=STARTS),
            *expand(f"{ABLATION}/grpo/{{name}}/episodes.jsonl", name=STUDIES),
        ],
        logs=expand(
            f"{ABLATION}/grpo/{{name}}/{{log}}.csv", name=STUDIES, log=["log", "validation"]
        ),
        code=library_files(
            "studies/ablations.py",
            "rollouts/metrics.py",
            "report/tables/ablations.py",
            "report/tables/cells.py",
            "report/render/latex.py",
            "report/figures/ablations.py",
            "report/figures/style.py",
        ),
    output:
        tables=show_in_report(
            expand(
                "results/tables/{name}.{kind}",
                name=["ablation_points", "ablation_turns"],
                kind=["csv", "tex"],
            ),
            "Ablations",
        ),
        figures=show_in_report(
            expand(
                "results/figures/{name}.{kind}",
                name=["ablation_data", "ablation_turns"],
                kind=["pdf", "png"],
            ),
            "Ablations",
        ),
        macros="results/ablations.tex",
    log:
        "results/logs/make_ablations.log",
    benchmark:
        "results/benchmarks/make_ablations.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folder=lambda wildcards, input: Path(input.logs[0]).parents[2],
        ablation=config["ablation"],
        confidence=config["report"]["confidence"],
    message:
        "Making the tables and figures of the ablations"
    script:
        "../scripts/make_ablations.py"


# The default target takes part of it where the paper is to have the section.
ABLATIONS = rules.make_ablations.output if config["report"]["ablations"] else []


rule ablations:
    input:
        rules.make_ablations.output,
