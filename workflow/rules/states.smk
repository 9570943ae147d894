# `snakemake states`: one SFT policy, trained on in the expert's states, in further ones of its, and in those that the policy
# comes to by itself. Not part of the reproduction's default target.
from taskreason.studies.states import ARMS, OWN, SEEN, START, UNSEEN, list_trainings

ENTERED = cfg.states.task
STATES = f"{OUT}/states/{ENTERED}"
STATE_TRAININGS = list_trainings(cfg)
# What all trainings begin with, and the decisions of each kind of states.
STATES_START = model_files(f"{OUT}/models/{ENTERED}/sft")
STATE_FILES = {
    SEEN: f"{OUT}/trajectories/{ENTERED}.jsonl",
    UNSEEN: f"{STATES}/{UNSEEN}.jsonl",
    OWN: f"{STATES}/{OWN}.jsonl",
}


# Seeds go on where those of the training split lie, whose worlds are left out.
use rule draw_worlds as states_worlds with:
    input:
        [world_file(ENTERED, split) for split in SPLITS],
    output:
        f"{STATES}/worlds.jsonl",
    pathvars:
        job=f"states/{ENTERED}/worlds",
    params:
        split="train",
        task=ENTERED,
        changes={"worlds": {"training": cfg.states.worlds}},
        settings={key: config["worlds"][key] for key in ["mode", "train_seed"]},
    message:
        "Drawing further training worlds of {params.task}"


use rule collect as states_collect with:
    input:
        worlds=rules.states_worlds.output[0],
        model=EXPERT_SOURCE,
    output:
        trajectories=STATE_FILES[UNSEEN],
        summary=f"{STATES}/{UNSEEN}.summary.json",
    pathvars:
        job=f"states/{ENTERED}/collect",
    params:
        task=ENTERED,
        changes={"expert": EXPERT_CHANGES | {"trajectories": cfg.states.trajectories}},
        bound=cfg.bound_of(ENTERED),
    message:
        "Collecting further expert trajectories of {params.task}"


use rule ablate_evaluate as states_play with:
    input:
        model=STATES_START,
        worlds=world_file(ENTERED, "train"),
    output:
        f"{STATES}/{OWN}.episodes.jsonl",
    pathvars:
        job=f"states/{ENTERED}/play",
    params:
        task=ENTERED,
        evaluation=evaluation_of([ENTERED]),
        temperature=float(cfg.states.sampled),
        seed=cfg.seed,
    message:
        "Rollouts of the SFT policy of {params.task} in training worlds"


use rule light as states_label with:
    input:
        worlds=world_file(ENTERED, "train"),
        episodes=rules.states_play.output[0],
        trajectories=STATE_FILES[SEEN],
    output:
        STATE_FILES[OWN],
    pathvars:
        job=f"states/{ENTERED}/label",
    params:
        script="label_states",
        task=ENTERED,
        expert=config["expert"],
        prompt=config["prompt"],
        seed=cfg.seed,
    message:
        "Labelling the SFT policy's own states of {params.task}"


# Where the SFT policy goes wrong in evaluation worlds: drawn once, and never trained on.
use rule states_label as states_label_failed with:
    input:
        worlds=world_file(ENTERED, "eval"),
        episodes=episode_files("sft", ENTERED, [ENTERED])[0],
    output:
        f"{STATES}/failed.jsonl",
    pathvars:
        job=f"states/{ENTERED}/label_failed",
    message:
        "Labelling the states of failed episodes of {params.task}"


use rule train_sft_longer as states_sft with:
    input:
        model=STATES_START,
        trajectories=states_of,
    output:
        model=model_files(f"{STATES}/{{name}}/model"),
        curve=f"{STATES}/{{name}}/log.csv",
        provenance=f"{STATES}/{{name}}/provenance.json",
    pathvars:
        job=f"states/{ENTERED}/train/{{name}}",
    wildcard_constraints:
        name=one_of(trainings_of("sft_longer")),
    params:
        task=ENTERED,
        changes=state_changes,
        sft=asdict(cfg.for_task(ENTERED).sft),
        replies=[],
        tokens=cfg.states.tokens,
        seed=state_seed,
        checkpoints=f"{OUT}/checkpoints/states/{ENTERED}/{{name}}",
    message:
        "SFT on {params.task}, {wildcards.name}"


use rule train_grpo as states_grpo with:
    input:
        model=STATES_START,
        trajectories=states_of,
        training=world_file(ENTERED, "train"),
        validation=world_file(ENTERED, "validation"),
    output:
        model=model_files(f"{STATES}/{{name}}/model"),
        curve=f"{STATES}/{{name}}/log.csv",
        validation=f"{STATES}/{{name}}/validation.csv",
        provenance=f"{STATES}/{{name}}/provenance.json",
    pathvars:
        job=f"states/{ENTERED}/train/{{name}}",
    wildcard_constraints:
        name=one_of(trainings_of("grpo")),
    params:
        task=ENTERED,
        changes=state_changes,
        grpo=asdict(cfg.for_task(ENTERED).grpo),
        timeout=cfg.timeout_of(ENTERED),
        tokens=cfg.states.tokens,
        seed=state_seed,
        checkpoints=f"{OUT}/checkpoints/states/{ENTERED}/{{name}}",
    message:
        "GRPO on {params.task}, {wildcards.name}"


use rule heavy as states_judge with:
    input:
        model=lambda wildcards: (
            STATES_START
            if wildcards.name == START
            else model_files(f"{STATES}/{wildcards.name}/model")
        ),
        worlds=world_file(ENTERED, "eval"),
        failed=rules.states_label_failed.output[0],
    output:
        episodes=f"{STATES}/{{name}}/episodes.jsonl",
        single_turn=f"{STATES}/{{name}}/single_turn.json",
    pathvars:
        job=f"states/{ENTERED}/judge/{{name}}",
    wildcard_constraints:
        name=one_of([START, *STATE_TRAININGS]),
    resources:
        **on_gpus(EVAL_GPUS),
    params:
        script="judge_states",
        needs=["engine"],
        task=ENTERED,
        evaluation=evaluation_of([ENTERED]),
        seed=state_seed,
    message:
        "Rollouts and single replies on {params.task}, {wildcards.name}"


use rule shown as make_states with:
    input:
        episodes=expand(rules.states_judge.output.episodes, name=[START, *STATE_TRAININGS]),
        single_turn=expand(rules.states_judge.output.single_turn, name=[START, *STATE_TRAININGS]),
        logs=expand(f"{STATES}/{{name}}/log.csv", name=trainings_of("grpo")),
        code=code_of(
            "make_states", *TABLE_CODE, *FIGURE_CODE, "studies/*.py", "report/numbers/*.py"
        ),
    output:
        tables=show("tables", ["states"], "States"),
        figures=show("figures", ["states"], "States"),
        macros="results/states.tex",
    pathvars:
        job="make_states",
    params:
        script="make_states",
        folder=lambda wildcards, input: Path(input.episodes[0]).parents[1],
        states=config["states"],
        confidence=cfg.report.confidence,
    message:
        "Making the table and the figure of whose states"


# The default target takes part of it where the paper is to have the section.
COMPARED_STATES = rules.make_states.output if cfg.report.states else []


rule states:
    input:
        rules.make_states.output,
