# What is read in a browser and beside the models: the episode gallery, the page of the run, the cards.
GALLERY, PAGE = ["results/gallery/index.html"], ["results/index.html"]
# Each model's card with the episodes that it tells about.
CARDS = {f"{OUT}/models/base/README.md": episode_files("base", "-", TASKS)} | {
    f"{OUT}/models/{task}{run}/{folder}/README.md": episode_files(
        policy, f"{task}{run}", TASKS if policy == GRID_POLICY else [task]
    )
    for task in TASKS
    for run in RUNS
    for policy, folder in FOLDERS.items()
    if policy in list_policies(cfg)
}


# One HTML file in which every decision of the first seed's policies can be looked at; the environment's simulator and
# teacher say what the episodes went through.
use rule shown as make_gallery with:
    input:
        worlds=EVAL_WORLDS,
        episodes=[
            *episode_files("expert", "-", TASKS),
            *episode_files("base", "-", TASKS),
            *(file for task in TASKS for file in episode_files("sft", task, [task])),
            *(file for task in TASKS for file in episode_files(GRID_POLICY, task, TASKS)),
        ],
        code=code_of(
            "make_gallery",
            "report/labels.py",
            "report/gallery/**/*",
            f"environments/{cfg.environment}/gallery.py",
            f"environments/{cfg.environment}/data/gallery/*",
        ),
    output:
        [mark_page(file, "gallery", "The episode gallery") for file in GALLERY],
    pathvars:
        job="make_gallery",
    params:
        script="make_gallery",
        root=lambda wildcards: OUT,
        scale=cfg.scale,
        timeouts={task: cfg.timeout_of(task) for task in TASKS},
        worlds=cfg.report.gallery,
    message:
        "Making the episode gallery"


# The whole run on one page that opens from a file.
use rule shown as make_page with:
    input:
        tables=[file for file in [*TABLES, *STUDIED] if file.endswith(".csv")],
        figures=[file for file in [*FIGURES, *STUDIED] if file.endswith(".png")],
        provenance=expand(
            f"{OUT}/training/{{task}}{{run}}/{{stage}}.provenance.json",
            task=TASKS,
            run=RUNS,
            stage=["sft", "grpo"],
        ),
        linked=[*PAPER, *GALLERY],
        code=code_of(
            "make_page",
            *TABLE_CODE,
            "report/page/**/*",
            "report/captions/**/*",
            "report/numbers/settings.py",
            "report/numbers/verdicts.py",
        ),
    output:
        [mark_page(file, "page", "The run on one page") for file in PAGE],
    pathvars:
        job="make_page",
    params:
        script="make_page",
        root=lambda wildcards: OUT,
        config=SETTINGS,
        links={"Paper (PDF)": file for file in PAPER}
        | {"Episode gallery": file for file in GALLERY},
    message:
        "Making the page of the run"


# For whoever gets the models or the trajectories alone. Nothing reads them.
use rule light as make_cards with:
    input:
        episodes=list(CARDS.values()),
        provenance=[
            f"{OUT}/training/{Path(card).parts[-3]}/{Path(card).parts[-2]}.provenance.json"
            for card in CARDS
            if Path(card).parent.name != "base"
        ],
        summaries=expand(rules.collect.output.summary, task=TASKS),
        trajectories=expand(rules.collect.output.trajectories, task=TASKS),
        code=code_of(
            "make_cards",
            "report/*.py",
            "report/cards/**/*",
            "report/render/*.py",
            "rollouts/metrics.py",
        ),
    output:
        models=list(CARDS),
        dataset=f"{OUT}/trajectories/README.md",
        croissant=f"{OUT}/trajectories/croissant.json",
    pathvars:
        job="make_cards",
    params:
        script="make_cards",
        models=CARDS,
        config=SETTINGS,
    message:
        "Writing cards of the models and of the trajectories"
