# `snakemake theory`: the paper's theorems, measured on the SFT and SFT+GRPO policies of the first seed.
# Not part of the reproduction's default target, whose time it would double.
MEASURED = ["sft", GRID_POLICY]
THEORY_SHOWN = [f"theory_{name}" for name in ("single", "recursion", "multi", "horizons", "grid")]


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
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        script="measure_theory",
        needs=["engine"],
        task="{task}",
        theory=config["theory"],
        prompt=config["prompt"],
        rollout=config["rollout"],
        temperature=lambda wildcards: grpo_of(wildcards)["temperature"],
        seed=cfg.seed,
    message:
        "Measuring the theory on {wildcards.policy} of {wildcards.task}"


use rule shown as make_theory with:
    input:
        measured=expand(rules.measure_theory.output[0], policy=MEASURED, task=TASKS),
        grid="results/tables/generalization.csv",
        code=code_of(
            "make_theory", *TABLE_CODE, *FIGURE_CODE, "theory/*.py", "report/numbers/studies.py"
        ),
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
THEORY = rules.make_theory.output if cfg.report.theory else []


rule theory:
    input:
        rules.make_theory.output,
