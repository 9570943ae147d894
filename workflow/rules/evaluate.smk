# Rollouts on unseen kitchens and single replies on unseen expert states. One job per model: it loads the model once.
# The SFT policy is evaluated on the task that it was trained on, the others on every task.
EVAL_KITCHENS = expand(rules.make_evaluation_kitchens.output[0], task=TASKS)
EVAL_GPUS = GPU * config["rollout"]["tensor_parallel"]


# Policies without a model: the expert, the rule of thumb and chance.
rule evaluate_rules:
    input:
        kitchens=EVAL_KITCHENS,
    output:
        episodes=episode_files("{policy}", "-", TASKS),
        single_turn=single_turn_files("{policy}", "-", TASKS),
    log:
        f"{LOGS}/evaluate/{{policy}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{{policy}}.tsv"
    wildcard_constraints:
        policy="expert|random|greedy",
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        policy="{policy}",
        train_task="-",
        eval_tasks=TASKS,
        seed=config["seeds"][0],
        evaluation=evaluation_of(TASKS),
    message:
        "Rollouts of the policy {wildcards.policy} on {params.eval_tasks}"
    script:
        "../scripts/evaluate.py"


rule evaluate_base:
    input:
        model=rules.prepare_base.output.model,
        kitchens=EVAL_KITCHENS,
    output:
        episodes=episode_files("base", "-", TASKS),
        single_turn=single_turn_files("base", "-", TASKS),
    log:
        f"{LOGS}/evaluate/base.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/base.tsv"
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        policy="base",
        train_task="-",
        eval_tasks=TASKS,
        seed=config["seeds"][0],
        evaluation=evaluation_of(TASKS),
    message:
        "Rollouts of the base model on {params.eval_tasks}"
    script:
        "../scripts/evaluate.py"


# Base models of other sizes, untrained.
rule evaluate_compared:
    input:
        files=lambda wildcards: model_source(COMPARED[wildcards.policy]),
        kitchens=EVAL_KITCHENS,
    output:
        episodes=episode_files("{policy}", "-", TASKS),
        single_turn=single_turn_files("{policy}", "-", TASKS),
    log:
        f"{LOGS}/evaluate/{{policy}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{{policy}}.tsv"
    wildcard_constraints:
        policy="base:.*",
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=lambda wildcards: 0 if is_api(COMPARED[wildcards.policy]) else EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        policy="{policy}",
        model=lambda wildcards: COMPARED[wildcards.policy],
        train_task="-",
        eval_tasks=TASKS,
        seed=config["seeds"][0],
        evaluation=evaluation_of(TASKS),
    message:
        "Rollouts of {wildcards.policy} on {params.eval_tasks}"
    script:
        "../scripts/evaluate.py"


# What the base model knows before any recipe is taught.
rule probe_base:
    input:
        model=rules.prepare_base.output.model,
        kitchens=EVAL_KITCHENS,
    output:
        f"{OUT}/probes/base.json",
    log:
        f"{LOGS}/probe_base.log",
    benchmark:
        f"{BENCHMARKS}/probe_base.tsv"
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        probes=config["probes"],
        prompt=config["prompt"],
        rollout=config["rollout"],
    message:
        "Probing the base model"
    script:
        "../scripts/probe_base.py"


rule evaluate_sft:
    input:
        model=rules.train_sft.output.model,
        kitchens=[rules.make_evaluation_kitchens.output[0]],
    output:
        episodes=episode_files("sft", "{task}{run}", ["{task}"]),
        single_turn=single_turn_files("sft", "{task}{run}", ["{task}"]),
    log:
        f"{LOGS}/evaluate/sft/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/sft/{{task}}{{run}}.tsv"
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        policy="sft",
        train_task=lambda wildcards: wildcards.task,
        eval_tasks=lambda wildcards: [wildcards.task],
        seed=seed_of,
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
    message:
        "Rollouts of the SFT policy of {wildcards.task}{wildcards.run}"
    script:
        "../scripts/evaluate.py"


rule evaluate_grpo:
    input:
        model=rules.train_grpo.output.model,
        kitchens=EVAL_KITCHENS,
    output:
        episodes=episode_files("sft_grpo", "{task}{run}", TASKS),
        single_turn=single_turn_files("sft_grpo", "{task}{run}", TASKS),
    log:
        f"{LOGS}/evaluate/sft_grpo/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/sft_grpo/{{task}}{{run}}.tsv"
    priority: 10
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        policy="sft_grpo",
        train_task=lambda wildcards: wildcards.task,
        eval_tasks=TASKS,
        seed=seed_of,
        evaluation=evaluation_of(TASKS),
    message:
        "Rollouts of the SFT+GRPO policy of {wildcards.task}{wildcards.run} on {params.eval_tasks}"
    script:
        "../scripts/evaluate.py"


rule evaluate_sft_longer:
    input:
        model=rules.train_sft_longer.output.model,
        kitchens=[rules.make_evaluation_kitchens.output[0]],
    output:
        episodes=episode_files("sft_longer", "{task}{run}", ["{task}"]),
        single_turn=single_turn_files("sft_longer", "{task}{run}", ["{task}"]),
    log:
        f"{LOGS}/evaluate/sft_longer/{{task}}{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/sft_longer/{{task}}{{run}}.tsv"
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        gpu=EVAL_GPUS,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        policy="sft_longer",
        train_task=lambda wildcards: wildcards.task,
        eval_tasks=lambda wildcards: [wildcards.task],
        seed=seed_of,
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
    message:
        "Rollouts of the longer SFT policy of {wildcards.task}{wildcards.run}"
    script:
        "../scripts/evaluate.py"
