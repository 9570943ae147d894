# Cards in the models' folders and beside the trajectories, for whoever gets these alone. Nothing reads them.
CARD_STAGES = {"sft": ("sft", False), "grpo": ("sft_grpo", True)}
if "sft_longer" in config["report"]["baselines"]:
    CARD_STAGES["sft_longer"] = ("sft_longer", False)
# Each card with the episodes that it tells about.
CARDS = {f"{OUT}/models/base/README.md": episode_files("base", "-", TASKS)} | {
    f"{OUT}/models/{task}{run}/{stage}/README.md": episode_files(
        policy, f"{task}{run}", TASKS if everywhere else [task]
    )
    for task in TASKS
    for run in RUNS
    for stage, (policy, everywhere) in CARD_STAGES.items()
}


rule make_cards:
    input:
        episodes=list(CARDS.values()),
        provenance=[provenance_of_card(card) for card in CARDS if Path(card).parent.name != "base"],
        summaries=expand(rules.collect.output.summary, task=TASKS),
        templates=[
            from_project(f"workflow/taskreason/report/cards/templates/{kind}.md.j2") for kind in ("model", "dataset")
        ],
        code=library_files(
            "report/cards/*.py", "report/render/templates.py", "report/labels.py", "rollouts/metrics.py"
        ),
    output:
        models=list(CARDS),
        dataset=f"{OUT}/trajectories/README.md",
    log:
        f"{LOGS}/make_cards.log",
    benchmark:
        f"{BENCHMARKS}/make_cards.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=CARDS,
        config={key: value for key, value in config.items() if key != "resources"},
    message:
        "Writing cards of the models and of the trajectories"
    script:
        "../scripts/make_cards.py"
