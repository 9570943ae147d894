"""The cost of a run: model sizes as published, FLOPs counted by hand, the workflow's own jobs, and what fits a card."""

import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from taskreason.cli.main import main
from taskreason.config.load import load_config
from taskreason.cost.estimate import estimate, explain_misfits, summarise
from taskreason.cost.jobs import find_peak_disk, list_jobs, load_workload, schedule_jobs
from taskreason.cost.lengths import measure_lengths
from taskreason.cost.memory import sft_memory
from taskreason.cost.model import (
    ARCHITECTURES,
    Architecture,
    Rows,
    find_architecture,
    forward_flops,
    state_bytes,
    training_flops,
)
from taskreason.durability.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from published_step import find_card, predict, read_steps  # noqa: E402

MEASURED = [step for step in read_steps() if find_card(step.hardware)]
TINY = Architecture(3, 8, 20, 4, 2, 6, 50, True, True)
PUBLISHED = {  # parameters of the weights on the hub; billions without embeddings on the models' cards
    "Qwen/Qwen2.5-1.5B-Instruct": (1_543_714_304, 1.31),
    "Qwen/Qwen2.5-3B-Instruct": (3_085_938_688, 2.77),
    "Qwen/Qwen2.5-7B-Instruct": (7_615_616_512, 6.53),
    "Qwen/Qwen2.5-14B-Instruct": (14_770_033_664, 13.1),
    "meta-llama/Llama-3.3-70B-Instruct": (70_553_706_496, None),
}


def configure(scale="paper", **groups):
    return load_config({"scale": scale, **groups})


def plan(gpu="h100", scale="paper", **groups):
    work = load_workload(configure(scale, **groups), gpu, ROOT)
    return work, list_jobs(work, ROOT)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_those_published(name):
    total, without = PUBLISHED[name]
    shape = ARCHITECTURES[name]
    assert shape.parameters == total
    if without:  # three digits, of which the 14B card's last one is off by one
        assert shape.non_embedding / 1e9 == pytest.approx(without, rel=0.01)


@pytest.mark.parametrize(
    "folder",
    ["base_model", *map("base_models/{}".format, ("small", "tiny", "long", "large"))],
)
def test_parameters_of_a_folder_are_those_of_its_weights(folder):
    path = ROOT / "workflow" / "resources" / folder
    with (path / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
    expected = sum(map(math.prod, shapes))
    name = str(path.relative_to(ROOT))
    assert find_architecture("base.model", name, ROOT).parameters == expected


def count_multiplications(shape, prompt, reply):
    """Products of one forward pass, summed matrix by matrix and token by token."""
    query, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    products = 0
    for position in range(prompt + reply):
        for _ in range(shape.layers):
            products += shape.hidden * query + 2 * shape.hidden * kv + query * shape.hidden
            products += 3 * shape.hidden * shape.intermediate
            for _ in range(shape.heads):
                products += 2 * shape.head_dim * (position + 1)  # scores, then the mean of values
        if position >= prompt:
            products += shape.hidden * shape.vocabulary
    return products


def test_flops_are_twice_the_products_counted_by_hand():
    alone = forward_flops(TINY, Rows(1, 7, 1, 5))
    assert alone == 2 * count_multiplications(TINY, 7, 5)
    assert forward_flops(TINY, Rows(9, 7, 9, 5)) == 9 * alone
    prompt = forward_flops(TINY, Rows(1, 7, 0, 0))
    assert forward_flops(TINY, Rows(1, 7, 8, 5)) == 8 * alone - 7 * prompt


def test_training_costs_six_flops_a_parameter_and_token():
    shape, rows = ARCHITECTURES["Qwen/Qwen2.5-7B-Instruct"], Rows(1, 1, 1, 1)
    # Without the attention of two tokens, and with the head on one of them.
    weights = 2 * shape.matrices + shape.head
    for lora, checkpointing, factor in (
        (False, False, 6),
        (False, True, 8),
        (True, False, 4),
        (True, True, 6),
    ):
        flops = training_flops(shape, rows, lora, checkpointing)
        assert flops == pytest.approx(factor * weights, rel=1e-3)


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


def count_rules(directory, scale):
    """Rule -> jobs of a dry run of the whole workflow."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-n"]
    command += ["--directory", str(directory), "--cores", "1", "--config", f"scale={scale}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=300)
    assert done.returncode == 0, done.stderr
    table = re.search(
        r"^Job stats:\n.*?\n-+.*?\n(.*?)^total", done.stdout, re.DOTALL | re.MULTILINE
    )
    return {rule: int(number) for rule, number in map(str.split, table[1].splitlines())}


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_jobs_are_those_of_the_workflow(tmp_path, scale):
    real = count_rules(tmp_path, scale)
    counted = Counter(job.rule for job in plan(scale=scale)[1])
    if not shutil.which("latexmk"):
        counted.pop("compile_paper")
    targets = real.keys() - counted.keys()
    assert len(targets) == 1  # the rule that asks for everything
    assert counted == {rule: number for rule, number in real.items() if rule not in targets}


def test_jobs_follow_the_configuration():
    def count(**groups):
        return Counter(job.rule for job in plan(**groups)[1])

    assert count(seeds=[0, 1, 2])["train_grpo"] == 12
    assert count(report={"baselines": []})["train_sft_longer"] == 0
    endpoint = plan(expert={"model": "api:big"}, base={"compare": ["api:other"]})[1]
    assert not any(job.gpus for job in endpoint if job.rule in ("collect", "evaluate_compared"))
    assert [job.name for job in endpoint if job.rule == "fetch_model"] == [
        "fetch:Qwen/Qwen2.5-1.5B-Instruct"
    ]


@pytest.mark.parametrize("gpus", [4, 7])
def test_a_schedule_keeps_order_and_number_of_gpus(gpus):
    _, jobs = plan()
    times = schedule_jobs(jobs, gpus)
    assert len(times) == len(jobs)
    for job in jobs:
        assert all(times[need][1] <= times[job.name][0] for need in job.needs)
        moment = times[job.name][0]
        running = [j.gpus for j in jobs if times[j.name][0] <= moment < times[j.name][1]]
        assert sum(running) <= gpus
    work = sum(job.gpus * job.seconds for job in jobs)
    assert max(end for _, end in times.values()) >= work / gpus
    assert find_peak_disk(jobs, times) >= sum(job.disk for job in jobs)


def test_more_work_costs_more_and_a_better_card_less():
    usual = summarise(configure(), "h200", None, [])
    for groups in (
        {"grpo": {"epochs": 60}},
        {"sft": {"epochs": 9}},
        {"expert": {"trajectories": 110}},
        {"kitchens": {"evaluation": 500}},
        {"train": {"gradient_checkpointing": True}},
        {"base": {"model": "Qwen/Qwen2.5-3B-Instruct"}},
        {"grpo": {"micro_batch": 4}},
        {"grpo": {"vllm": "none"}},
        {"seeds": [0, 1]},
    ):
        assert summarise(configure(**groups), "h200", None, []).gpu_hours > usual.gpu_hours, groups
    hours = [estimate("paper", gpu).gpu_hours for gpu in ("h200", "h100", "a100")]
    assert hours == sorted(hours) and len(set(hours)) == 3
    walls = [estimate("paper", "h200", gpus).wall_hours for gpus in (4, 8, 16)]
    assert walls == sorted(walls, reverse=True)


def test_a_24_gb_card_holds_adapters_but_not_every_weight_of_the_smallest_model():
    assert state_bytes(ARCHITECTURES["Qwen/Qwen2.5-1.5B-Instruct"], 0) > 24e9
    careful = {
        "sft": {"micro_batch": 1},
        "grpo": {"micro_batch": 1, "vllm": "none", "prompts_per_step": 1, "group_size": 8},
    }
    trainings = {"train_sft", "train_grpo", "train_sft_longer"}
    full = load_workload(
        configure(train={"gradient_checkpointing": True}, **careful), "rtx4090", ROOT
    )
    assert trainings <= explain_misfits(full).keys()
    adapters = load_workload(configure(train={"lora_rank": 16}, **careful), "rtx4090", ROOT)
    assert not trainings & explain_misfits(adapters).keys()
    result = estimate("paper", "rtx4090")
    assert result.lora_rank == 16 and "train.lora_rank" in " ".join(result.notes)
    assert estimate("paper", "rtx4090", lora_rank=0).lora_rank == 0


@pytest.mark.parametrize("gpu", ["h100", "h200", "a100", "rtx4090"])
@pytest.mark.parametrize(
    "groups", [{}, {"train": {"lora_rank": 16}}, {"grpo": {"vllm_memory": 0.01}}]
)
def test_a_proposed_change_makes_a_stage_fit(gpu, groups):
    work = load_workload(configure(**groups), gpu, ROOT)
    for rule, sentence in explain_misfits(work).items():
        cfg = work.cfg
        changes = re.findall(r"(\w+)\.(\w+) to ([\w.]*\w)", sentence)
        assert changes, sentence
        for section, key, value in changes:
            changed = replace(getattr(cfg, section), **{key: json.loads(value)})
            cfg = replace(cfg, **{section: changed})
        assert rule not in explain_misfits(replace(work, cfg=cfg)), sentence


def test_parallel_training_shares_the_work_and_sharding_the_memory():
    one, _ = plan()
    several = {"resources": {"gpu": 4}}
    copies, jobs = plan(train={"accelerate": "envs/accelerate/multi_gpu.yaml"}, **several)
    assert copies.processes == 4 and copies.sft_seconds("sft", "burger") < one.sft_seconds(
        "sft", "burger"
    )
    assert {job.gpus for job in jobs if job.rule == "train_sft"} == {4}
    works = [
        plan(train={"accelerate": f"envs/accelerate/{name}.yaml"}, **several)[0]
        for name in ("fsdp", "deepspeed_zero2", "multi_gpu")
    ]
    memory = [sft_memory(work, measure_lengths("burger", work.cfg)) for work in works]
    assert memory == sorted(memory) and len(set(memory)) == 3


def test_the_command_prints_a_table_in_three_formats(capsys):
    command = ["estimate", "--scale", "paper", "--gpu", "h200", "--gpus", "8"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert main([*command, "--format", "markdown"]) == 0
    markdown = capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"collect", "train_grpo", "evaluate_grpo"} <= {row["stage"] for row in result["stages"]}
    assert result["gpu_hours"] == pytest.approx(sum(row["gpu_hours"] for row in result["stages"]))
    for row in result["stages"]:
        assert re.search(rf"^{row['stage']} +{row['jobs']} ", text, re.MULTILINE)
        assert f"| {row['stage']} | {row['jobs']} |" in markdown


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["--scale", "laptop"], "README.md"),
        (["--scale", "smoke"], "README.md"),
        (["--scale", "giant"], "laptop, paper"),
        (["--gpus", "2"], "give 4 or more"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_one_sentence(capsys, arguments, told):
    assert main(["estimate", "--gpu", "h100", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and told in err


def test_a_model_of_unknown_size_asks_for_a_folder(tmp_path):
    with pytest.raises(UserError, match=r"base\.model: .*other/model.*folder"):
        find_architecture("base.model", "other/model", ROOT)
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(UserError, match="mamba"):
        find_architecture("base.model", str(tmp_path), ROOT)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match="shape"):
        find_architecture("base.model", str(tmp_path), ROOT)


def test_an_estimate_needs_no_torch():
    program = "import sys, taskreason.cost.estimate as e; e.estimate('paper', 'h100')\n"
    program += "sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
