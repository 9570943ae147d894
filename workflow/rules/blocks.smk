# What rules share, said once: the log, the benchmark, the environment, the resources. All others take one of these over.
# What trains a model or asks one. Whoever takes this over names its job (the place of its log), its script, and what it
# needs before it can start (taskreason/cli/preflight.py).
rule heavy:
    log:
        f"{LOGS}/<job>.log",
    benchmark:
        f"{BENCHMARKS}/<job>.tsv"
    pathvars:
        job="heavy",
    conda:
        TRAIN_ENV
    threads: 1
    resources:
        **on_gpus(GPU),
    script:
        "../scripts/{params.script}.py"


# What needs no model.
use rule heavy as light with:
    pathvars:
        job="light",
    conda:
        LIGHT_ENV
    resources:
        mem_mb=1000,
        runtime=60,


# What shows results: one place for all scales.
use rule light as shown with:
    log:
        "results/logs/<job>.log",
    benchmark:
        "results/benchmarks/<job>.tsv"
    pathvars:
        job="shown",


# What only a run needs, a dry run not: graphics cards, models that can be had, a key for the endpoint.
onstart:
    jobs = list(workflow.dag.needrun_jobs())
    needs = {need for job in jobs for need in job.params.get("needs", [])}
    gpus = max((job.resources.get("gpu", 0) for job in jobs), default=0)
    try:
        check_writable(Path("results"))
        check_times(str(file) for job in jobs for file in job.input)
        check_start(needs, gpus, MODELS, cfg, workflow.local_exec)
    except UserError as error:
        sys.exit(str(error))
    follow_jobs()
