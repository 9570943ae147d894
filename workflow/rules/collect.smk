# Kitchens, and the expert's trajectories through the training kitchens. Evaluation kitchens are made apart, so that
# asking for more of them trains nothing again.


EXPERT_IS_MODEL = config["expert"]["policy"] == "model"
EXPERT_GPUS = 0
if EXPERT_IS_MODEL and not is_api(EXPERT):
    EXPERT_GPUS = GPU * config["expert"]["tensor_parallel"]


rule make_training_kitchens:
    output:
        f"{OUT}/kitchens/{{task}}/train.jsonl",
    log:
        f"{LOGS}/make_training_kitchens/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/make_training_kitchens/{{task}}.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        split="train",
        kitchens=kitchen_settings("mode", "training", "train_seed"),
    message:
        "Generating training kitchens of {wildcards.task}"
    script:
        "../scripts/make_kitchens.py"


rule make_validation_kitchens:
    input:
        rules.make_training_kitchens.output[0],
    output:
        f"{OUT}/kitchens/{{task}}/validation.jsonl",
    log:
        f"{LOGS}/make_validation_kitchens/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/make_validation_kitchens/{{task}}.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        split="validation",
        kitchens=kitchen_settings("mode", "validation", "validation_seed"),
    message:
        "Generating validation kitchens of {wildcards.task}"
    script:
        "../scripts/make_kitchens.py"


rule make_evaluation_kitchens:
    input:
        rules.make_training_kitchens.output[0],
        rules.make_validation_kitchens.output[0],
    output:
        f"{OUT}/kitchens/{{task}}/eval.jsonl",
    log:
        f"{LOGS}/make_evaluation_kitchens/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/make_evaluation_kitchens/{{task}}.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        split="eval",
        kitchens=kitchen_settings("mode", "evaluation", "eval_seed"),
    message:
        "Generating evaluation kitchens of {wildcards.task}"
    script:
        "../scripts/make_kitchens.py"


rule collect:
    input:
        kitchens=rules.make_training_kitchens.output[0],
        model=model_source(EXPERT) if EXPERT_IS_MODEL else [],
    output:
        trajectories=f"{OUT}/trajectories/{{task}}.jsonl",
        summary=f"{OUT}/trajectories/{{task}}.summary.json",
    log:
        f"{LOGS}/collect/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/collect/{{task}}.tsv"
    conda:
        TRAIN_ENV if EXPERT_IS_MODEL else LIGHT_ENV
    threads: 1
    resources:
        gpu=EXPERT_GPUS,
        mem_mb=heavy_memory if EXPERT_IS_MODEL else 1000,
        runtime=heavy_runtime if EXPERT_IS_MODEL else 60,
    params:
        expert=config["expert"],
        model=EXPERT if EXPERT_IS_MODEL else None,
        prompt=config["prompt"],
        bound=lambda wildcards: BOUNDS[wildcards.task],
        seed=config["seeds"][0],
    message:
        "Collecting expert trajectories of {wildcards.task}"
    script:
        "../scripts/collect.py"
