# `snakemake theory`: the paper's theorems, measured on the SFT and SFT+GRPO policies of the first seed, and GRPO run to
# its fixed point on some states of one task.
# Not part of the reproduction's default target, whose time it would double.
from taskreason.studies.fixed_point import change_grpo

MEASURED = ["sft", GRID_POLICY]
THEORY_SHOWN = [f"theory_{name}" for name in ("single", "recursion", "multi", "horizons", "grid")]
FIXED_TASK = cfg.theory.task
FIXED = f"{OUT}/theory/fixed_point"
BETAS = [f"{beta:g}" for beta in cfg.theory.beta]


use rule heavy as measure_theory with:
    input:
        model=lambda wildcards: model_files(
            f"{OUT}/models/{wildcards.task}/{wildcards.policy.removeprefix('sft_')}"
        ),
        worlds=world_file("{task}", "eval"),
    output:
        f"{OUT}/theory/{{policy}}/{{task}}.jsonl",
    pathvars:
        job="theory/{policy}/{task}",
    wildcard_constraints:
        policy=one_of(MEASURED),
    params:
        script="measure_theory",
        task="{task}",
        theory=config["theory"],
        prompt=config["prompt"],
        max_new_tokens=cfg.rollout.max_new_tokens,
        temperature=lambda wildcards: grpo_of(wildcards)["temperature"],
        seed=cfg.seed,
    message:
        "Measuring the theory on {wildcards.policy} of {wildcards.task}"


use rule heavy as choose_fixed_states with:
    input:
        model=model_files(f"{OUT}/models/{FIXED_TASK}/sft"),
        states=f"{OUT}/trajectories/{FIXED_TASK}.jsonl",
    output:
        f"{FIXED}/states.jsonl",
    pathvars:
        job="theory/fixed_point/states",
    params:
        script="measure_fixed_point",
        choose=True,
        task=FIXED_TASK,
        theory=config["theory"],
        prompt=config["prompt"],
        max_new_tokens=cfg.rollout.max_new_tokens,
        temperature=cfg.for_task(FIXED_TASK).grpo.temperature,
        seed=cfg.seed,
    message:
        "Choosing states of {params.task} for the fixed point"


use rule train_grpo as train_fixed_point with:
    input:
        trajectories=rules.choose_fixed_states.output[0],
        model=model_files(f"{OUT}/models/{FIXED_TASK}/sft"),
        validation=world_file(FIXED_TASK, "validation"),
        training=[],
    output:
        model=model_files(f"{FIXED}/beta={{beta}}/model"),
        curve=f"{FIXED}/beta={{beta}}/log.csv",
        validation=f"{FIXED}/beta={{beta}}/validation.csv",
        provenance=f"{FIXED}/beta={{beta}}/provenance.json",
    pathvars:
        job="theory/fixed_point/train_{beta}",
    wildcard_constraints:
        beta=one_of(BETAS),
    params:
        task=FIXED_TASK,
        changes=lambda wildcards: {"grpo": change_grpo(cfg, float(wildcards.beta))},
        grpo=asdict(cfg.for_task(FIXED_TASK).grpo),
        timeout=cfg.timeout_of(FIXED_TASK),
        seed=cfg.seed,
        checkpoints=f"{OUT}/checkpoints/theory/fixed_point/{{beta}}",
    message:
        "GRPO to its fixed point on {params.task}, beta {wildcards.beta}"


use rule choose_fixed_states as measure_fixed_point with:
    input:
        model=rules.train_fixed_point.output.model,
        states=rules.choose_fixed_states.output[0],
    output:
        f"{FIXED}/beta={{beta}}/states.jsonl",
    pathvars:
        job="theory/fixed_point/measure_{beta}",
    params:
        choose=False,
    message:
        "Measuring the states of {params.task} after GRPO, beta {wildcards.beta}"


use rule shown as make_fixed_point with:
    input:
        chosen=rules.choose_fixed_states.output[0],
        fixed=expand(rules.measure_fixed_point.output[0], beta=BETAS),
        logs=expand(rules.train_fixed_point.output.curve, beta=BETAS),
        code=code_of("make_fixed_point", *TABLE_CODE, *FIGURE_CODE, "theory/*.py"),
    output:
        tables=show("tables", ["theory_fixed_point"], "Theory"),
        figures=show("figures", ["theory_fixed_point"], "Theory"),
    pathvars:
        job="make_fixed_point",
    params:
        script="make_fixed_point",
        betas=cfg.theory.beta,
        group=cfg.for_task(FIXED_TASK).grpo.group_size,
        confidence=cfg.report.confidence,
    message:
        "Making the table and the figure of the fixed point"


use rule shown as make_theory with:
    input:
        measured=expand(rules.measure_theory.output[0], policy=MEASURED, task=TASKS),
        fixed=rules.make_fixed_point.output.tables[0],
        grid="results/tables/generalization.csv",
        code=code_of("make_theory", *TABLE_CODE, *FIGURE_CODE, "theory/*.py", "report/numbers/*.py"),
    output:
        tables=show("tables", THEORY_SHOWN, "Theory"),
        figures=show("figures", THEORY_SHOWN, "Theory"),
        macros="results/theory.tex",
    pathvars:
        job="make_theory",
    params:
        script="make_theory",
        policies=MEASURED,
        beta=cfg.grpo.beta,
        confidence=cfg.report.confidence,
    message:
        "Making the theory's tables and figures"


# The default target takes part of it where the paper is to have the section.
THEORY = [*rules.make_theory.output, *rules.make_fixed_point.output] if cfg.report.theory else []


rule theory:
    input:
        rules.make_theory.output,
        rules.make_fixed_point.output,


rule fixed_point:
    input:
        rules.make_fixed_point.output,
