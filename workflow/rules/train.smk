# One SFT and one GRPO training per task and seed. One thread each: two trainings side by side beat one on two threads.
# Checkpoints go to a folder that is no output, so that an interrupted training resumes instead of being wiped.

GRPO_PLAYS = config["grpo"]["turns"] == "multi"


rule train_sft:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.prepare_base.output.model,
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/sft"),
        curve=f"{OUT}/training/{{task}}{{run}}/sft.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/sft.provenance.json",
    log:
        f"{LOGS}/train_sft/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/train_sft/{{task}}{{run}}.tsv"
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
        prompt=config["prompt"],
        train=config["train"],
        sft=lambda wildcards: sft_of(wildcards.task),
        seed=seed_of,
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/sft",
    message:
        "SFT on {wildcards.task}{wildcards.run}"
    script:
        "../scripts/train.py"


rule train_grpo:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.train_sft.output.model,
        kitchens=rules.make_validation_kitchens.output[0],
        training=rules.make_training_kitchens.output[0] if GRPO_PLAYS else [],
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/grpo"),
        curve=f"{OUT}/training/{{task}}{{run}}/grpo.csv",
        validation=f"{OUT}/training/{{task}}{{run}}/grpo_validation.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/grpo.provenance.json",
    log:
        f"{LOGS}/train_grpo/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/train_grpo/{{task}}{{run}}.tsv"
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
        prompt=config["prompt"],
        train=config["train"],
        grpo=config["grpo"],
        timeout=lambda wildcards: TIMEOUTS[wildcards.task],
        max_new_tokens=config["rollout"]["max_new_tokens"],
        seed=seed_of,
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/grpo",
    message:
        "GRPO on {wildcards.task}{wildcards.run}"
    script:
        "../scripts/train.py"


# The control that tells what GRPO adds from what more training adds.
rule train_sft_longer:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.train_sft.output.model,
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/sft_longer"),
        curve=f"{OUT}/training/{{task}}{{run}}/sft_longer.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/sft_longer.provenance.json",
    log:
        f"{LOGS}/train_sft_longer/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/train_sft_longer/{{task}}{{run}}.tsv"
    priority: 5
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        stage="sft_longer",
        prompt=config["prompt"],
        train=config["train"],
        sft=lambda wildcards: sft_of(wildcards.task),
        replies=[
            config["grpo"][key] for key in ["steps", "epochs", "prompts_per_step", "group_size"]
        ],
        seed=seed_of,
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/sft_longer",
    message:
        "Longer SFT on {wildcards.task}{wildcards.run}"
    script:
        "../scripts/train.py"
