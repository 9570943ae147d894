# The base model: the shipped folder is checked and installed, or (base.rebuild) trained from scratch on chores.
REBUILT = f"{OUT}/models/rebuilt_base"
BASE_SOURCE = REBUILT if config["base"]["rebuild"] else from_project(config["base"]["model"])

if not config["base"]["rebuild"]:
    for file in model_files(BASE_SOURCE):
        if not os.path.exists(file):
            sys.exit(
                f"base.model: {file} is missing; name a folder in Hugging Face format that has it, "
                "or set base.rebuild to true to train the base model from scratch."
            )


for folder in COMPARED.values():
    for file in model_files(from_project(folder)):
        if not os.path.exists(file):
            sys.exit(
                f"base.compare: {file} is missing; name folders in Hugging Face format that have it."
            )


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
        runtime=RUNTIME,
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
        model=model_files(BASE_SOURCE),
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
    message:
        "Checking and installing the base model"
    script:
        "../scripts/prepare_base.py"
