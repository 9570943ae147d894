# SFT and GRPO, and what they rehearse.
from taskreason.training.rehearsal import LONGER, count_most

# No training of any task rehearses more.
MOST_REHEARSED = max(count_most(cfg.for_task(task), cfg.bound_of(task)) for task in TASKS)


use rule light as draw_rehearsal with:
    output:
        f"{OUT}/rehearsal/{{seed}}.jsonl",
    pathvars:
        job="draw_rehearsal/{seed}",
    wildcard_constraints:
        seed="[0-9]+",
    priority: 35  # after worlds and trajectories, which take more jobs
    params:
        script="draw_rehearsal",
        number=MOST_REHEARSED,
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Drawing what trainings with the seed {wildcards.seed} rehearse"


# One SFT and one GRPO training per task and seed. One thread each: two trainings at a time beat one on two threads.
# Checkpoints go to a folder that is no output, so that an interrupted training resumes instead of being wiped.
# Priorities put the longest way first (SFT, GRPO, rollouts) and of what else waits the longest job, so that the short
# ones are left to fill the cores at the end.
use rule heavy as train_sft with:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.prepare_base.output.model,
        rehearsal=lambda wildcards: rehearsal_file(seed_of(wildcards)),
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/sft"),
        curve=f"{OUT}/training/{{task}}{{run}}/sft.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/sft.provenance.json",
    pathvars:
        job="train_sft/{task}{run}",
    priority: 20
    params:
        script="train",
        needs=["training"],
        stage="sft",
        task="{task}",
        prompt=config["prompt"],
        train=config["train"],
        sft=sft_of,
        seed=seed_of,
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/sft",
    message:
        "SFT on {wildcards.task}{wildcards.run}"


use rule heavy as train_grpo with:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.train_sft.output.model,
        rehearsal=lambda wildcards: rehearsal_file(seed_of(wildcards)),
        validation=world_file("{task}", "validation"),
        training=training_worlds,
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/grpo"),
        curve=f"{OUT}/training/{{task}}{{run}}/grpo.csv",
        validation=f"{OUT}/training/{{task}}{{run}}/grpo_validation.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/grpo.provenance.json",
    pathvars:
        job="train_grpo/{task}{run}",
    priority: 30
    params:
        script="train",
        needs=["training"],
        stage="grpo",
        task="{task}",
        prompt=config["prompt"],
        train=config["train"],
        grpo=grpo_of,
        timeout=lambda wildcards: cfg.timeout_of(wildcards.task),
        max_new_tokens=cfg.rollout.max_new_tokens,
        seed=seed_of,
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/grpo",
    message:
        "GRPO on {wildcards.task}{wildcards.run}"


# The control that tells what GRPO needs SFT for.
use rule train_grpo as train_grpo_base with:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.prepare_base.output.model,
        validation=world_file("{task}", "validation"),
        training=training_worlds,
        rehearsal=lambda wildcards: rehearsal_file(seed_of(wildcards)),
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/grpo_base"),
        curve=f"{OUT}/training/{{task}}{{run}}/grpo_base.csv",
        validation=f"{OUT}/training/{{task}}{{run}}/grpo_base_validation.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/grpo_base.provenance.json",
    pathvars:
        job="train_grpo_base/{task}{run}",
    priority: 15
    params:
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/grpo_base",
    message:
        "GRPO on {wildcards.task}{wildcards.run}, from the base model"


# The control that tells what GRPO adds from what more training adds.
use rule train_sft as train_sft_longer with:
    input:
        trajectories=rules.collect.output.trajectories,
        model=rules.train_sft.output.model,
        rehearsal=lambda wildcards: rehearsal_file(seed_of(wildcards) + LONGER),
    output:
        model=model_files(f"{OUT}/models/{{task}}{{run}}/sft_longer"),
        curve=f"{OUT}/training/{{task}}{{run}}/sft_longer.csv",
        provenance=f"{OUT}/training/{{task}}{{run}}/sft_longer.provenance.json",
    pathvars:
        job="train_sft_longer/{task}{run}",
    priority: 15
    params:
        stage="sft_longer",
        replies=lambda wildcards: [
            grpo_of(wildcards)[key]
            for key in ["steps", "epochs", "prompts_per_step", "group_size", "focus", "reward"]
        ],
        checkpoints=f"{OUT}/checkpoints/{{task}}{{run}}/sft_longer",
    message:
        "Longer SFT on {wildcards.task}{wildcards.run}"
