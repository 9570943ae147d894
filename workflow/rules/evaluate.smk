# Rollouts in unseen worlds and single replies on unseen expert states. One job per model: it loads the model once.
# SFT policies are evaluated on the task that they were trained on, the others on every task.
EVAL_WORLDS = [world_file(task, "eval") for task in TASKS]
ON_ALL_TASKS = {"eval_tasks": TASKS, "evaluation": evaluation_of(TASKS)}


# Policies without a model: the expert, rules of thumb and chance.
use rule light as evaluate_rules with:
    input:
        worlds=EVAL_WORLDS,
    output:
        **cell_files("{policy}", "-", TASKS),
    pathvars:
        job="evaluate/{policy}",
    wildcard_constraints:
        policy=one_of(["expert", "random", *cfg.env.rule_policies]),
    params:
        **ON_ALL_TASKS,
        script="evaluate",
        policy="{policy}",
        train_task="-",
        seed=cfg.seed,
    message:
        "Rollouts of the policy {wildcards.policy} on {params.eval_tasks}"


# The base model, and those of base.compare, untrained.
use rule evaluate_rules as evaluate_base with:
    input:
        model=lambda wildcards: (
            model_source(COMPARED[wildcards.policy])
            if wildcards.policy in COMPARED
            else rules.prepare_base.output.model
        ),
        worlds=EVAL_WORLDS,
    wildcard_constraints:
        policy=one_of(["base", *COMPARED]),
    priority: 5
    conda:
        TRAIN_ENV
    resources:
        **on_gpus(lambda wildcards: 0 if is_api(COMPARED.get(wildcards.policy, "")) else EVAL_GPUS),
    params:
        needs=lambda wildcards: needs_of(COMPARED.get(wildcards.policy)),
        model=lambda wildcards: COMPARED.get(wildcards.policy),
    message:
        "Rollouts of the model {wildcards.policy} on {params.eval_tasks}"


use rule heavy as evaluate_grpo with:
    input:
        model=rules.train_grpo.output.model,
        worlds=EVAL_WORLDS,
    output:
        **cell_files("sft_grpo", "{task}{run}", TASKS),
    pathvars:
        job="evaluate/sft_grpo/{task}{run}",
    priority: 10
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        **ON_ALL_TASKS,
        script="evaluate",
        needs=["engine"],
        policy="sft_grpo",
        train_task="{task}",
        seed=seed_of,
    message:
        "Rollouts of the SFT+GRPO policy of {wildcards.task}{wildcards.run} on {params.eval_tasks}"


use rule evaluate_grpo as evaluate_sft with:
    input:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/{{policy}}"),
        worlds=[world_file("{task}", "eval")],
    output:
        **cell_files("{policy}", "{task}{run}", ["{task}"]),
    pathvars:
        job="evaluate/{policy}/{task}{run}",
    wildcard_constraints:
        policy="sft|sft_longer",
    priority: 0
    params:
        policy="{policy}",
        eval_tasks=lambda wildcards: [wildcards.task],
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
    message:
        "Rollouts of the policy {wildcards.policy} of {wildcards.task}{wildcards.run}"
