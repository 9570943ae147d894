"""The cost of a run: model sizes as published, FLOPs counted by hand, the workflow's own jobs, and what fits a card."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from taskreason.cli.main import main
from taskreason.config.load import load_config
from taskreason.cost import estimate as module
from taskreason.cost.estimate import change, estimate, find_fix, read_jobs, schedule_jobs
from taskreason.cost.model import GPUS, SHAPES, TRAINING_MFU, Job, Lengths, Shape
from taskreason.durability.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from published_step import find_card, forward_flops, predict, read_steps  # noqa: E402

MEASURED = [step for step in read_steps() if find_card(step.hardware)]
TINY = Shape(3, 12, 20, 2, 50, True)
PUBLISHED = {  # parameters of the weights on the hub
    "Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen2.5-3B-Instruct": 3_085_938_688,
    "Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen2.5-14B-Instruct": 14_770_033_664,
    "Llama-3.3-70B-Instruct": 70_553_706_496,
}


@cache
def plan(gpu="h100", settings="{}"):
    return read_jobs({"scale": "paper"} | json.loads(settings), GPUS[gpu])


def change_all(jobs, groups):
    """The same jobs with other settings."""
    for job in jobs:
        for group, settings in groups.items():
            job = replace(job, cfg=change(job.cfg, group, settings))
        yield job


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_those_published(name):
    assert SHAPES[name].parameters == pytest.approx(PUBLISHED[name], rel=1e-3)


def count_multiplications(shape, prompt, reply):
    """Products of one forward pass, summed matrix by matrix and token by token."""
    query, kv = shape.hidden, shape.hidden // shape.group
    products = 0
    for position in range(prompt + reply):
        for _ in range(shape.layers):
            products += shape.hidden * query + 2 * shape.hidden * kv + query * shape.hidden
            products += 3 * shape.hidden * shape.intermediate
            products += 2 * query * (position + 1)  # scores, then the mean of values
        if position >= prompt:
            products += shape.hidden * shape.vocabulary
    return products


def test_flops_are_twice_the_products_counted_by_hand():
    alone = forward_flops(TINY, 7, 1, 5)
    assert alone == 2 * count_multiplications(TINY, 7, 5)
    assert forward_flops(TINY, 7, 8, 5) == 8 * alone - 7 * forward_flops(TINY, 7)


def test_training_costs_six_flops_a_parameter_and_token():
    """On a card that is so slow that arithmetic takes longest."""
    slow = replace(GPUS["h100"], flops=1e9)
    cfg = load_config({"scale": "paper", "sft": {"batch_size": 4}})
    tokens = 4 * (100 + 20)
    for rank, checkpointing, factor in ((0, False, 6), (0, True, 8), (8, False, 4), (8, True, 6)):
        train = {"lora_rank": rank, "gradient_checkpointing": checkpointing}
        shape = SHAPES["Qwen2.5-7B-Instruct"]
        job = Job(change(cfg, "train", train), slow, shape, "sft", ("burger",))
        flops = job.step_seconds(Lengths(100, 0, 20, 20)) * slow.flops * TRAINING_MFU
        assert flops == pytest.approx(factor * shape.matrices * tokens)


@pytest.mark.parametrize(
    "step", MEASURED, ids=lambda step: f"{step.stage}-{step.lora_rank}-{step.micro_batch}"
)
def test_measured_steps_are_predicted(step):
    """Seconds and memory of the steps that were timed on a card, whatever became of the model of cost since."""
    seconds, sampling, memory = predict(step)
    assert seconds == pytest.approx(step.step_s, rel=0.2)
    assert memory == pytest.approx(step.largest_gb, rel=0.2)
    if step.stage == "grpo":
        assert sampling == pytest.approx(step.sampling_s, rel=0.2)


def test_jobs_are_those_of_the_workflow(tmp_path):
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-n", "--cores", "1"]
    command += ["--directory", tmp_path, "--config", "scale=paper"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    jobs = plan()
    assert len(jobs) == int(re.search(r"^total +(\d+)$", shown, re.MULTILINE)[1])
    kinds = Counter(job.kind for job in jobs.values())
    assert {kind: kinds[kind] for kind in ("collect", "sft", "grpo")} == dict(
        collect=4, sft=4, grpo=8
    )
    for job in jobs.values():
        before = {(jobs[need].kind, jobs[need].tasks) for need in job.needs}
        if job.stage in ("train_grpo", "train_sft_longer"):
            assert {("sft", job.tasks), ("collect", job.tasks)} <= before
        if job.stage == "train_grpo_base":
            assert {kind for kind, _ in before} == {"collect", "copy", "light"}
        assert bool(job.gpus) == (job.kind not in ("copy", "light"))


def test_jobs_follow_the_configuration():
    def count(**groups):
        return Counter(job.stage for job in plan(settings=json.dumps(groups)).values())

    assert count(seeds=[0, 1, 2])["train_grpo"] == 12
    assert "train_sft_longer" not in count(report={"baselines": []})
    endpoint = count(expert={"model": "api:big"}, base={"compare": ["api:other"]})
    assert endpoint["fetch_model"] == 1
    assert not {"collect", "evaluate_base:other"} & endpoint.keys()


@pytest.mark.parametrize("gpus", [4, 7])
def test_a_schedule_keeps_order_and_number_of_gpus(gpus):
    jobs = plan()
    ends = schedule_jobs(jobs, gpus)
    starts = {number: ends[number] - jobs[number].seconds for number in jobs}
    for number, job in jobs.items():
        moment = starts[number] + 1e-6
        assert all(ends[need] <= moment for need in job.needs)
        running = [jobs[n].gpus for n in jobs if starts[n] <= moment < ends[n]]
        assert sum(running) <= gpus
    work = sum(job.gpus * job.seconds for job in jobs.values())
    assert max(ends.values()) >= work / gpus


def test_more_work_costs_more_and_a_better_card_less():
    def count_hours(jobs):
        return sum(job.gpus * job.seconds for job in jobs)

    usual = count_hours(plan().values())
    for groups in (
        {"grpo": {"epochs": 60}},
        {"sft": {"epochs": 9}},
        {"expert": {"trajectories": 110}},
        {"worlds": {"evaluation": 500}},
        {"train": {"gradient_checkpointing": True}},
        {"grpo": {"micro_batch": 4}},
        {"grpo": {"vllm": "none"}},
    ):
        assert count_hours(change_all(plan().values(), groups)) > usual, groups
    hours = [count_hours(plan(gpu).values()) for gpu in ("h200", "h100", "a100")]
    assert hours == sorted(hours) and len(set(hours)) == 3
    walls = [max(schedule_jobs(plan(), gpus).values()) for gpus in (4, 8, 16)]
    assert walls == sorted(walls, reverse=True)


def test_a_24_gb_card_holds_adapters_but_not_every_weight_of_the_smallest_model():
    def list_misfits(**settings):
        stages = estimate({"scale": "paper_24gb"} | settings, "rtx4090")["stages"]
        return set(stages.stage[stages.fits == "NO"])

    assert not list_misfits()
    trainings = {"train_sft", "train_grpo", "train_sft_longer"}
    assert trainings <= list_misfits(train={"lora_rank": 0, "gradient_checkpointing": True})


@pytest.mark.parametrize("gpu", ["h100", "rtx4090"])
@pytest.mark.parametrize(
    "groups", [{}, {"train": {"lora_rank": 16}}, {"grpo": {"vllm_memory": 0.01}}]
)
def test_a_proposed_change_makes_a_stage_fit(gpu, groups):
    for job in change_all(plan(gpu).values(), groups):
        needed, free = job.memory
        if needed > free:
            fix = find_fix(job)
            changes = re.findall(r"(\w+)\.(\w+) to ([\w.]*\w)", fix)
            assert changes, fix
            for part, key, value in changes:
                job = replace(job, cfg=change(job.cfg, part, {key: json.loads(value)}))
            needed, free = job.memory
            assert needed <= free, fix


def test_the_command_prints_a_table_in_three_formats(capsys):
    command = ["estimate", "--scale", "paper", "--gpu", "h200", "--gpus", "8"]
    texts = []
    for style in ("text", "markdown", "json"):
        assert main([*command, "--format", style]) == 0
        texts.append(capsys.readouterr().out)
    text, markdown, result = *texts[:2], json.loads(texts[2])
    assert {"collect", "train_grpo"} <= {row["stage"] for row in result["stages"]}
    assert result["gpu_hours"] == pytest.approx(sum(row["gpu_hours"] for row in result["stages"]))
    for row in result["stages"]:
        assert re.search(rf"^ *{row['stage']} +{row['jobs']} ", text, re.MULTILINE)
        assert f"| {row['stage']} | {row['jobs']} |" in markdown


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["--scale", "smoke"], "docs/performance.md"),
        (["--scale", "giant"], "laptop, paper"),
        (["--gpus", "2"], "give 4 or more"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_one_sentence(capsys, arguments, told):
    assert main(["estimate", "--gpu", "h100", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and told in err


def test_what_is_not_modelled_is_said():
    with pytest.raises(UserError, match="other/model"):
        estimate({"scale": "paper", "base": {"model": "other/model"}}, "h100")
    result = estimate({"scale": "paper", "report": {"ablations": True}}, "h100")
    assert any("ablate_evaluate" in note for note in result["notes"])
    assert set(result["stages"].stage) >= {"ablate_sft", "ablate_grpo"}


def test_an_estimate_needs_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SNAKEFILE", tmp_path / "Snakefile")
    with pytest.raises(UserError, match="from a checkout"):
        estimate({"scale": "paper"}, "h100")


def test_an_estimate_needs_no_torch():
    program = "import sys, taskreason.cost.estimate as e; e.estimate({'scale': 'paper'}, 'h100')\n"
    program += "sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
