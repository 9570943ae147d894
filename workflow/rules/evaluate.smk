# Rollouts in unseen worlds and single replies on unseen expert states. One job per model: it loads the model once.
# SFT policies and controls are evaluated on the task that they were trained on, the others on every task. Models play
# twice, taking the likeliest replies and sampling them: the base model on every task, trained ones on their own.
EVAL_WORLDS = [world_file(task, "eval") for task in TASKS]
ON_ALL_TASKS = {"eval_tasks": TASKS, "evaluation": evaluation_of(TASKS)}
# The policies that are trained as controls have the same temperatures.
DRAWN = {policy: list_temperatures(policy, cfg) for policy in ["base", *FOLDERS]}


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


# The models of base.compare, untrained.
use rule evaluate_rules as evaluate_compared with:
    input:
        model=lambda wildcards: model_source(COMPARED[wildcards.policy]),
        worlds=EVAL_WORLDS,
    wildcard_constraints:
        policy=one_of(COMPARED),
    priority: 5
    conda:
        TRAIN_ENV
    resources:
        **on_gpus(lambda wildcards: 0 if is_api(COMPARED[wildcards.policy]) else EVAL_GPUS),
    params:
        needs=lambda wildcards: needs_of(COMPARED[wildcards.policy]),
        model=lambda wildcards: COMPARED[wildcards.policy],
    message:
        "Rollouts of the model {wildcards.policy} on {params.eval_tasks}"


use rule heavy as evaluate_base with:
    input:
        model=rules.prepare_base.output.model,
        worlds=EVAL_WORLDS,
    output:
        **cell_files("base", "-", TASKS),
        **sampled_files("base", "-", TASKS, DRAWN["base"]),
    pathvars:
        job="evaluate/base",
    priority: 5
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        **ON_ALL_TASKS,
        script="evaluate",
        needs=["engine"],
        policy="base",
        train_task="-",
        seed=cfg.seed,
        temperatures=DRAWN["base"],
        sampled_tasks=TASKS,
    message:
        "Rollouts of the base model on {params.eval_tasks}"


use rule heavy as evaluate_grpo with:
    input:
        model=rules.train_grpo.output.model,
        worlds=EVAL_WORLDS,
    output:
        **cell_files("sft_grpo", "{task}{run}", TASKS),
        **sampled_files("sft_grpo", "{task}{run}", ["{task}"], DRAWN["sft_grpo"]),
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
        temperatures=DRAWN["sft_grpo"],
        sampled_tasks=lambda wildcards: [wildcards.task],
    message:
        "Rollouts of the SFT+GRPO policy of {wildcards.task}{wildcards.run} on {params.eval_tasks}"


use rule evaluate_grpo as evaluate_sft with:
    input:
        model=rules.train_sft.output.model,
        worlds=[world_file("{task}", "eval")],
    output:
        **cell_files("sft", "{task}{run}", ["{task}"]),
        **sampled_files("sft", "{task}{run}", ["{task}"], DRAWN["sft"]),
    pathvars:
        job="evaluate/sft/{task}{run}",
    priority: 0
    params:
        policy="sft",
        temperatures=DRAWN["sft"],
        eval_tasks=lambda wildcards: [wildcards.task],
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
    message:
        "Rollouts of the SFT policy of {wildcards.task}{wildcards.run}"


# The controls that are trained: longer SFT, and GRPO without SFT.
use rule evaluate_sft as evaluate_control with:
    input:
        model=lambda wildcards: model_files(
            f"{OUT}/models/{wildcards.task}{wildcards.run}/{FOLDERS[wildcards.policy]}"
        ),
        worlds=[world_file("{task}", "eval")],
    output:
        **cell_files("{policy}", "{task}{run}", ["{task}"]),
        **sampled_files("{policy}", "{task}{run}", ["{task}"], DRAWN["grpo"]),
    pathvars:
        job="evaluate/{policy}/{task}{run}",
    wildcard_constraints:
        policy=one_of(CONTROLS),
    params:
        policy="{policy}",
        temperatures=DRAWN["grpo"],
    message:
        "Rollouts of the policy {wildcards.policy} of {wildcards.task}{wildcards.run}"
