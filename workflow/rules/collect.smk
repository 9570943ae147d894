# Worlds, and the expert's trajectories through the training worlds. Those for evaluation are drawn apart, so that asking
# for more of them trains nothing again.
EXPERT_IS_MODEL = cfg.expert.policy == "model"
EXPERT_RUNS_HERE = EXPERT_IS_MODEL and not is_api(EXPERT)
EXPERT_SOURCE = model_source(EXPERT) if EXPERT_IS_MODEL else []
# A folder's name is relative to the working directory.
EXPERT_CHANGES = {"model": EXPERT} if EXPERT_IS_MODEL else {}
EXPERT_RESOURCES = {"mem_mb": 1000, "runtime": 60}
EXPERT_NEEDS = []
if EXPERT_IS_MODEL:
    EXPERT_RESOURCES = on_gpus(GPU * cfg.expert.tensor_parallel if EXPERT_RUNS_HERE else 0)
    EXPERT_NEEDS = ["expert.model", *(["engine"] if EXPERT_RUNS_HERE else [])]


use rule light as draw_worlds with:
    input:
        worlds_before,
    output:
        world_file("{task}", "{split}"),
    pathvars:
        job="draw_worlds/{task}/{split}",
    wildcard_constraints:
        split=one_of(split for split in SPLITS if split not in FURTHER),
    priority: 40  # all else waits for worlds and trajectories
    params:
        script="draw_worlds",
        task="{task}",
        split="{split}",
        settings=world_settings,
    message:
        "Drawing worlds of {wildcards.task}: {wildcards.split}"


use rule light as collect with:
    input:
        worlds=world_file("{task}", "train"),
        model=EXPERT_SOURCE,
    output:
        trajectories=f"{OUT}/trajectories/{{task}}.jsonl",
        summary=f"{OUT}/trajectories/{{task}}.summary.json",
    pathvars:
        job="collect/{task}",
    priority: 40
    conda:
        TRAIN_ENV if EXPERT_IS_MODEL else LIGHT_ENV
    resources:
        **EXPERT_RESOURCES,
    params:
        script="collect",
        needs=EXPERT_NEEDS,
        task="{task}",
        expert=config["expert"],
        changes={"expert": EXPERT_CHANGES},
        prompt=config["prompt"],
        bound=lambda wildcards: cfg.bound_of(wildcards.task),
        seed=cfg.seed,
    message:
        "Collecting expert trajectories of {params.task}"
