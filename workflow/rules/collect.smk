# Kitchens, and the expert's trajectories through the training kitchens. Evaluation kitchens are made apart, so that
# asking for more of them trains nothing again.


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
        kitchens={key: config["kitchens"][key] for key in ["mode", "training", "train_seed"]},
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
        kitchens={key: config["kitchens"][key] for key in ["mode", "validation", "validation_seed"]},
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
        kitchens={key: config["kitchens"][key] for key in ["mode", "evaluation", "eval_seed"]},
    message:
        "Generating evaluation kitchens of {wildcards.task}"
    script:
        "../scripts/make_kitchens.py"


rule collect:
    input:
        kitchens=rules.make_training_kitchens.output[0],
    output:
        trajectories=f"{OUT}/trajectories/{{task}}.jsonl",
        summary=f"{OUT}/trajectories/{{task}}.summary.json",
    log:
        f"{LOGS}/collect/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/collect/{{task}}.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        expert=config["expert"],
        bound=lambda wildcards: config["expert_bounds"][wildcards.task],
        seed=config["seeds"][0],
    message:
        "Collecting expert trajectories of {wildcards.task}"
    script:
        "../scripts/collect.py"
