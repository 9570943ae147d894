# The episode gallery: one HTML file in which every decision of the first seed's policies can be looked at.
# Light: the simulator and the planner say what the episodes went through.
GALLERY = ["results/gallery/index.html"]


rule make_gallery:
    input:
        kitchens=EVAL_KITCHENS,
        episodes=[
            *expand(rules.evaluate_rules.output.episodes, policy="expert"),
            *rules.evaluate_base.output.episodes,
            *expand(rules.evaluate_sft.output.episodes, task=TASKS, run=RUNS[0]),
            *expand(rules.evaluate_grpo.output.episodes, task=TASKS, run=RUNS[0]),
        ],
        page=gallery_sources(),
        code=library_files("report/gallery/*.py", "report/labels.py"),
    output:
        [
            report(
                page,
                caption="../taskreason/report/captions_rst/gallery.rst",
                category="Overview",
                labels={"Title": "The episode gallery"},
            )
            for page in GALLERY
        ],
    log:
        "results/logs/make_gallery.log",
    benchmark:
        "results/benchmarks/make_gallery.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        scale=config["scale"],
        tasks=TASKS,
        timeouts={task: TIMEOUTS[task] for task in TASKS},
        kitchens=config["report"]["gallery"],
    message:
        "Making the episode gallery"
    script:
        "../scripts/make_gallery.py"
