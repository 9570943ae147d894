# The base model: the shipped folder is checked and installed, or (base.rebuild) trained from scratch on chores.
REBUILT = f"{OUT}/models/rebuilt_base"
BASE_SOURCE = REBUILT if config["base"]["rebuild"] else BASE


# Needs the network, so it runs where Snakemake does; jobs on a cluster's nodes find the files in the shared cache.
rule fetch_model:
    output:
        f"{OUT}/models/hub/{{name}}.json",
    log:
        f"{LOGS}/fetch_model/{{name}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_model/{{name}}.tsv"
    localrule: True
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    message:
        "Fetching the model {wildcards.name} from the hub"
    script:
        "../scripts/fetch_model.py"


rule build_base:
    output:
        model=model_files(REBUILT),
        curve=f"{OUT}/training/base.csv",
    log:
        f"{LOGS}/build_base.log",
    benchmark:
        f"{BENCHMARKS}/build_base.tsv"
    conda:
        TRAIN_ENV
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=heavy_memory,
        runtime=heavy_runtime,
    params:
        base={
            key: value
            for key, value in config["base"].items()
            if key not in ("model", "compare", "rebuild")
        },
        checkpoints=f"{OUT}/checkpoints/base",
    message:
        "Training the base model from scratch"
    script:
        "../scripts/build_base.py"


# `snakemake rebuild_base` trains a base model beside the shipped one, whatever base.rebuild says.
rule rebuild_base:
    input:
        rules.build_base.output,


rule prepare_base:
    input:
        model=model_files(REBUILT) if config["base"]["rebuild"] else model_source(BASE),
    output:
        model=model_files(f"{OUT}/models/base"),
    log:
        f"{LOGS}/prepare_base.log",
    benchmark:
        f"{BENCHMARKS}/prepare_base.tsv"
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        mem_mb=heavy_memory,
        runtime=30,
    params:
        source=lambda wildcards: BASE_SOURCE,
    message:
        "Checking and installing the base model"
    script:
        "../scripts/prepare_base.py"
