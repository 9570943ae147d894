# `snakemake ablations`: other numbers of trajectories, experts that err or say less, another reward, and GRPO on whole
# episodes. Not part of the reproduction's default target.
from taskreason.studies.ablations import PLAIN, list_experts, list_starts, list_studies

STARTS, STUDIES, EXPERTS = list_starts(config), list_studies(config), list_experts(config)
ABLATED = cfg.ablation.task
ABLATION = f"{OUT}/ablation/{ABLATED}"


# The reproduction's training worlds come first, since the seed is the same; none of them is used to judge a policy.
use rule draw_worlds as ablate_worlds with:
    input:
        world_file(ABLATED, "validation"),
        world_file(ABLATED, "eval"),
    output:
        f"{ABLATION}/worlds.jsonl",
    pathvars:
        job=f"ablation/{ABLATED}/worlds",
    params:
        split="train",
        task=ABLATED,
        changes={"worlds": {"training": cfg.ablation.worlds}},
        settings={key: config["worlds"][key] for key in ["mode", "train_seed"]},
    message:
        "Drawing training worlds of {params.task} for the ablations"


use rule collect as ablate_collect with:
    input:
        worlds=rules.ablate_worlds.output[0],
        model=EXPERT_SOURCE,
    output:
        trajectories=f"{ABLATION}/sft/{{name}}/trajectories.jsonl",
        summary=f"{ABLATION}/sft/{{name}}/trajectories.summary.json",
    pathvars:
        job=f"ablation/{ABLATED}/collect/{{name}}",
    wildcard_constraints:
        name=one_of(STARTS),
    params:
        task=ABLATED,
        changes=lambda wildcards: {"expert": EXPERT_CHANGES | STARTS[wildcards.name]},
        bound=cfg.bound_of(ABLATED),
    message:
        "Collecting expert trajectories of {params.task}, {wildcards.name}"


use rule train_sft as ablate_sft with:
    input:
        model=rules.prepare_base.output.model,
        trajectories=rules.ablate_collect.output.trajectories,
    output:
        model=model_files(f"{ABLATION}/sft/{{name}}/model"),
        curve=f"{ABLATION}/sft/{{name}}/log.csv",
        provenance=f"{ABLATION}/sft/{{name}}/provenance.json",
    pathvars:
        job=f"ablation/{ABLATED}/sft/{{name}}",
    wildcard_constraints:
        name=one_of(STARTS),
    params:
        task=ABLATED,
        changes=lambda wildcards: {"expert": STARTS[wildcards.name]},
        sft=asdict(cfg.for_task(ABLATED).sft),
        seed=cfg.seed,
        checkpoints=f"{OUT}/checkpoints/ablation/{ABLATED}/sft/{{name}}",
    message:
        "SFT on {params.task}, {wildcards.name}"


# The control of an expert that errs: SFT trained on for as many replies as GRPO samples.
use rule train_sft_longer as ablate_longer with:
    input:
        model=rules.ablate_sft.output.model,
        trajectories=rules.ablate_collect.output.trajectories,
    output:
        model=model_files(f"{ABLATION}/longer/{{name}}/model"),
        curve=f"{ABLATION}/longer/{{name}}/log.csv",
        provenance=f"{ABLATION}/longer/{{name}}/provenance.json",
    pathvars:
        job=f"ablation/{ABLATED}/longer/{{name}}",
    wildcard_constraints:
        name=one_of(EXPERTS),
    params:
        task=ABLATED,
        changes=lambda wildcards: {"expert": STARTS[wildcards.name]},
        sft=asdict(cfg.for_task(ABLATED).sft),
        replies=asdict(cfg.for_task(ABLATED).grpo),
        seed=cfg.seed,
        checkpoints=f"{OUT}/checkpoints/ablation/{ABLATED}/longer/{{name}}",
    message:
        "Longer SFT on {params.task}, {wildcards.name}"


use rule train_grpo as ablate_grpo with:
    input:
        unpack(start_of),
        training=rules.ablate_worlds.output[0],
        validation=world_file(ABLATED, "validation"),
    output:
        model=model_files(f"{ABLATION}/grpo/{{name}}/model"),
        curve=f"{ABLATION}/grpo/{{name}}/log.csv",
        validation=f"{ABLATION}/grpo/{{name}}/validation.csv",
        provenance=f"{ABLATION}/grpo/{{name}}/provenance.json",
    pathvars:
        job=f"ablation/{ABLATED}/grpo/{{name}}",
    wildcard_constraints:
        name=one_of(STUDIES),
    params:
        task=ABLATED,
        changes=lambda wildcards: {
            "expert": STARTS.get(STUDIES[wildcards.name].start, {}),
            "grpo": STUDIES[wildcards.name].grpo,
        },
        grpo=asdict(cfg.for_task(ABLATED).grpo),
        timeout=cfg.timeout_of(ABLATED),
        seed=lambda wildcards: STUDIES[wildcards.name].seed,
        tokens=lambda wildcards: STUDIES[wildcards.name].tokens,
        checkpoints=f"{OUT}/checkpoints/ablation/{ABLATED}/grpo/{{name}}",
    message:
        "GRPO on {params.task}, {wildcards.name}"


use rule heavy as ablate_evaluate with:
    input:
        model=model_files(f"{ABLATION}/{{stage}}/{{name}}/model"),
        worlds=world_file(ABLATED, "eval"),
    output:
        f"{ABLATION}/{{stage}}/{{name}}/episodes.jsonl",
    pathvars:
        job=f"ablation/{ABLATED}/evaluate/{{stage}}/{{name}}",
    wildcard_constraints:
        stage="sft|longer|grpo",
        name=one_of([*STARTS, *STUDIES]),
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        script="ablate_evaluate",
        needs=["engine"],
        task=ABLATED,
        evaluation=evaluation_of([ABLATED]),
        seed=lambda wildcards: getattr(STUDIES.get(wildcards.name), "seed", cfg.seed),
    message:
        "Rollouts on {params.task} after {wildcards.stage}, {wildcards.name}"


use rule shown as make_ablations with:
    input:
        sft=episode_files("sft", ABLATED, [ABLATED])[0],
        grpo=episode_files("sft_grpo", ABLATED, [ABLATED])[0],
        starts=expand(f"{ABLATION}/sft/{{name}}/episodes.jsonl", name=STARTS),
        longer=expand(f"{ABLATION}/longer/{{name}}/episodes.jsonl", name=EXPERTS),
        summaries=expand(rules.ablate_collect.output.summary, name=EXPERTS),
        studies=expand(f"{ABLATION}/grpo/{{name}}/episodes.jsonl", name=STUDIES),
        logs=expand(f"{ABLATION}/grpo/{{name}}/log.csv", name=STUDIES),
        validations=expand(f"{ABLATION}/grpo/{{name}}/validation.csv", name=STUDIES),
        code=code_of("make_ablations", *TABLE_CODE, *FIGURE_CODE, "studies/ablations.py"),
    output:
        tables=show(
            "tables", ["ablation_points", "ablation_experts", "ablation_turns"], "Ablations"
        ),
        figures=show(
            "figures", ["ablation_data", "ablation_experts", "ablation_turns"], "Ablations"
        ),
        macros="results/ablations.tex",
    pathvars:
        job="make_ablations",
    params:
        script="make_ablations",
        folder=lambda wildcards, input: Path(input.logs[0]).parents[2],
        ablation=config["ablation"],
        confidence=cfg.report.confidence,
    message:
        "Making the tables and figures of the ablations"


# The default target takes part of it where the paper is to have the section.
ABLATIONS = rules.make_ablations.output if cfg.report.ablations else []


rule ablations:
    input:
        rules.make_ablations.output,
