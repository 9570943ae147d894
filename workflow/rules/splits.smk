# Rollouts in unseen worlds of further kinds (worlds.splits), such as larger ones. One job plays all of a task with one
# policy, which it loads once, and only with those of report.split_policies.
# The trainings do not wait for these.
use rule draw_worlds as draw_splits with:
    pathvars:
        job="draw_worlds/{task}/{split}",
    wildcard_constraints:
        split=one_of(FURTHER),
    priority: 0
    message:
        "Drawing worlds of {wildcards.task}: {wildcards.split}"


use rule light as play_splits_by_rule with:
    input:
        worlds=[world_file("{task}", split) for split in FURTHER],
    output:
        f"{OUT}/splits/{{policy}}/{{task}}.jsonl",
    pathvars:
        job="splits/{policy}/{task}",
    wildcard_constraints:
        policy=one_of(["expert", *cfg.env.rule_policies]),
    params:
        script="play_splits",
        policy="{policy}",
        task="{task}",
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
        seed=cfg.seed,
    message:
        "Rollouts of the policy {wildcards.policy} of {wildcards.task} in other kinds of worlds"


use rule heavy as play_splits with:
    input:
        model=lambda wildcards: model_files(
            f"{OUT}/models/{wildcards.task}{wildcards.run}/"
            + ("grpo" if wildcards.policy == GRID_POLICY else wildcards.policy)
        ),
        worlds=[world_file("{task}", split) for split in FURTHER],
    output:
        f"{OUT}/splits/{{policy}}/{{task}}{{run}}.jsonl",
    pathvars:
        job="splits/{policy}/{task}{run}",
    wildcard_constraints:
        policy=one_of(TRAINED),
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        script="play_splits",
        needs=["engine"],
        policy="{policy}",
        task="{task}",
        evaluation=lambda wildcards: evaluation_of([wildcards.task]),
        seed=seed_of,
    message:
        "Rollouts of the policy {wildcards.policy} of {wildcards.task}{wildcards.run} in other kinds of worlds"
