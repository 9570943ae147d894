# The base model: one that is there already is checked and installed, or (base.rebuild) one is trained from scratch.
REBUILT = f"{OUT}/models/rebuilt_base"
FETCHED = {to_file_name(name): name for _, name in MODELS if is_fetched(name)}


# Needs the network, so it runs where Snakemake does; jobs on a cluster's nodes find the files in the shared cache.
use rule heavy as fetch_model with:
    output:
        f"{OUT}/models/fetched/{{name}}.json",
    pathvars:
        job="fetch_model/{name}",
    localrule: True
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        script="fetch_model",
        model=lambda wildcards: FETCHED[wildcards.name],
        needs=lambda wildcards: [
            key for key, name in MODELS if to_file_name(name) == wildcards.name
        ],
    message:
        "Fetching the model {wildcards.name}"


use rule heavy as build_base with:
    output:
        model=model_files(REBUILT),
        curve=f"{OUT}/training/base.csv",
    pathvars:
        job="build_base",
    threads: 2
    params:
        script="build_base",
        base={
            key: value
            for key, value in config["base"].items()
            if key not in ("model", "compare", "rebuild")
        },
        checkpoints=f"{OUT}/checkpoints/base",
    message:
        "Training the base model from scratch"


# `snakemake rebuild_base` trains a base model, whatever base.rebuild says; nothing reads it unless that says so.
rule rebuild_base:
    input:
        rules.build_base.output,


use rule heavy as prepare_base with:
    input:
        model=model_files(REBUILT) if cfg.base.rebuild else model_source(BASE),
    output:
        model=model_files(f"{OUT}/models/base"),
    pathvars:
        job="prepare_base",
    resources:
        **on_gpus(0),
    params:
        script="prepare_base",
        needs=[] if cfg.base.rebuild else ["base.model"],
        source=lambda wildcards: BASE or REBUILT,
    message:
        "Checking and installing the base model"


# What the base model knows before it is taught any task.
use rule heavy as probe_base with:
    input:
        model=rules.prepare_base.output.model,
        worlds=[world_file(task, "eval") for task in TASKS],
    output:
        f"{OUT}/probes/base.json",
    pathvars:
        job="probe_base",
    priority: 5
    params:
        script="probe_base",
        tasks=TASKS,
        probes=config["probes"],
        prompt=config["prompt"],
        rollout=config["rollout"],
    message:
        "Probing the base model"
