# `snakemake regimes`: where GRPO gains over as much more SFT, by the noise of the expert's thoughts, its trajectories, the
# epochs of SFT before and the steps of GRPO. Not part of the reproduction's default target.
from taskreason.studies import regimes as regime_study

REGIME_POINTS = regime_study.list_points(cfg)
REGIME_STARTS = regime_study.list_starts(cfg)
REGIME_EXPERTS = {point.expert: point for point in REGIME_POINTS.values()}
MAPPED = cfg.regimes.task
REGIMES = f"{OUT}/regimes/{MAPPED}"


# Worlds of its own to judge in: no choice of the reproduction's has been made or confirmed by them.
use rule draw_worlds as regimes_worlds with:
    input:
        [world_file(MAPPED, split) for split in SPLITS],
    output:
        f"{REGIMES}/eval.jsonl",
    pathvars:
        job=f"regimes/{MAPPED}/worlds",
    params:
        split="eval",
        task=MAPPED,
        changes={
            "worlds": {"evaluation": cfg.regimes.evaluation, "eval_seed": cfg.regimes.eval_seed}
        },
        settings={"mode": config["worlds"]["mode"]},
    message:
        "Drawing evaluation worlds of {params.task} for the map of regimes"


use rule collect as regimes_collect with:
    input:
        worlds=world_file(MAPPED, "train"),
        model=[],
    output:
        trajectories=f"{REGIMES}/experts/{{expert}}.jsonl",
        summary=f"{REGIMES}/experts/{{expert}}.summary.json",
    pathvars:
        job=f"regimes/{MAPPED}/collect/{{expert}}",
    wildcard_constraints:
        expert=one_of(REGIME_EXPERTS),
    conda:
        LIGHT_ENV
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=60,
    params:
        needs=[],
        task=MAPPED,
        changes=lambda wildcards: {"expert": REGIME_EXPERTS[wildcards.expert].changes["expert"]},
        bound=cfg.bound_of(MAPPED),
    message:
        "Collecting expert trajectories of {params.task}, {wildcards.expert}"


use rule train_sft as regimes_sft with:
    input:
        model=rules.prepare_base.output.model,
        trajectories=lambda wildcards: f"{REGIMES}/experts/{regime_of(wildcards).expert}.jsonl",
    output:
        model=model_files(f"{REGIMES}/sft/{{name}}/model"),
        curve=f"{REGIMES}/sft/{{name}}/log.csv",
        provenance=f"{REGIMES}/sft/{{name}}/provenance.json",
    pathvars:
        job=f"regimes/{MAPPED}/sft/{{name}}",
    wildcard_constraints:
        name=one_of(REGIME_STARTS),
    params:
        task=MAPPED,
        changes=regime_changes,
        sft=asdict(cfg.for_task(MAPPED).sft),
        seed=regime_seed,
        checkpoints=f"{OUT}/checkpoints/regimes/{MAPPED}/sft/{{name}}",
    message:
        "SFT on {params.task}, {wildcards.name}"


# The control: from the same start, on as many replies as GRPO samples.
use rule train_sft_longer as regimes_longer with:
    input:
        unpack(regime_start),
    output:
        model=model_files(f"{REGIMES}/longer/{{name}}/model"),
        curve=f"{REGIMES}/longer/{{name}}/log.csv",
        provenance=f"{REGIMES}/longer/{{name}}/provenance.json",
    pathvars:
        job=f"regimes/{MAPPED}/longer/{{name}}",
    wildcard_constraints:
        name=one_of(REGIME_POINTS),
    params:
        task=MAPPED,
        changes=regime_changes,
        sft=asdict(cfg.for_task(MAPPED).sft),
        replies=asdict(cfg.for_task(MAPPED).grpo),
        seed=regime_seed,
        checkpoints=f"{OUT}/checkpoints/regimes/{MAPPED}/longer/{{name}}",
    message:
        "Longer SFT on {params.task}, {wildcards.name}"


use rule train_grpo as regimes_grpo with:
    input:
        unpack(regime_start),
        training=[],
        validation=world_file(MAPPED, "validation"),
    output:
        model=model_files(f"{REGIMES}/grpo/{{name}}/model"),
        curve=f"{REGIMES}/grpo/{{name}}/log.csv",
        validation=f"{REGIMES}/grpo/{{name}}/validation.csv",
        provenance=f"{REGIMES}/grpo/{{name}}/provenance.json",
    pathvars:
        job=f"regimes/{MAPPED}/grpo/{{name}}",
    wildcard_constraints:
        name=one_of(REGIME_POINTS),
    params:
        task=MAPPED,
        changes=regime_changes,
        grpo=asdict(cfg.for_task(MAPPED).grpo),
        timeout=cfg.timeout_of(MAPPED),
        seed=regime_seed,
        checkpoints=f"{OUT}/checkpoints/regimes/{MAPPED}/grpo/{{name}}",
    message:
        "GRPO on {params.task}, {wildcards.name}"


use rule ablate_evaluate as regimes_evaluate with:
    input:
        model=model_files(f"{REGIMES}/{{stage}}/{{name}}/model"),
        worlds=rules.regimes_worlds.output[0],
    output:
        f"{REGIMES}/{{stage}}/{{name}}/episodes.jsonl",
    pathvars:
        job=f"regimes/{MAPPED}/evaluate/{{stage}}/{{name}}",
    wildcard_constraints:
        stage="sft|longer|grpo",
        name=one_of([*REGIME_STARTS, *REGIME_POINTS]),
    params:
        task=MAPPED,
        evaluation=evaluation_of([MAPPED]),
        seed=regime_seed,
    message:
        "Rollouts on {params.task} after {wildcards.stage}, {wildcards.name}"


use rule ablate_evaluate as regimes_evaluate_base with:
    input:
        model=rules.prepare_base.output.model,
        worlds=rules.regimes_worlds.output[0],
    output:
        f"{REGIMES}/base/episodes.jsonl",
    pathvars:
        job=f"regimes/{MAPPED}/evaluate/base",
    params:
        task=MAPPED,
        evaluation=evaluation_of([MAPPED]),
        seed=cfg.regimes.seeds[0],
    message:
        "Rollouts of the base model on {params.task}"


use rule shown as make_regimes with:
    input:
        base=rules.regimes_evaluate_base.output[0],
        starts=expand(f"{REGIMES}/sft/{{name}}/episodes.jsonl", name=REGIME_STARTS),
        points=expand(
            f"{REGIMES}/{{stage}}/{{name}}/episodes.jsonl",
            stage=["longer", "grpo"],
            name=REGIME_POINTS,
        ),
        logs=expand(rules.regimes_grpo.output.curve, name=REGIME_POINTS),
        code=code_of(
            "make_regimes", *TABLE_CODE, *FIGURE_CODE, "studies/*.py", "report/numbers/*.py"
        ),
    output:
        tables=show("tables", ["regimes"], "Regimes"),
        figures=show("figures", ["regimes_map", "regimes_spread"], "Regimes"),
        macros="results/regimes.tex",
        law="results/regimes.md",
    pathvars:
        job="make_regimes",
    params:
        script="make_regimes",
        folder=lambda wildcards, input: Path(input.base).parents[1],
        regimes=config["regimes"],
        epochs=cfg.for_task(MAPPED).sft.epochs,
        confidence=cfg.report.confidence,
    message:
        "Making the map of regimes"


# The default target takes part of it where the paper is to have the section.
MAP = rules.make_regimes.output if cfg.report.regimes else []


rule regimes:
    input:
        rules.make_regimes.output,
