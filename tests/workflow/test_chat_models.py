"""What a user with downloaded weights runs, on random ones: baseline, SFT, GRPO, rollouts, adapters, processes."""

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from chat_models import CHAT, TEMPLATE, save_chat_model
from kitchens import read_jsonl
from taskreason.config.load import load_config
from taskreason.policies.generation import Sampling
from taskreason.policies.transformers import TransformersPolicy, choose_dtype, load_model
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_worlds
from taskreason.training.base_model import install_base
from taskreason.training.launch import Job, read_job, run, write_job
from taskreason.training.scoring import read_prompts_once
from taskreason.training.setup import TrainingFiles, make_adapters, read_dtype
from training_files import files_in

ROOT = Path(__file__).resolve().parents[2]
TASK = "cheese_sandwich"
CFG = load_config(
    {
        "scale": "smoke",
        "expert": {"trajectories": 2},
        "prompt": {"style": "chat", "history": True},
        "sft": {"epochs": 1, "augment": False},
        "grpo": {"steps": 1, "prompts_per_step": 2, "group_size": 2, "micro_batch": 2},
        "rollout": {"max_new_tokens": 8},
    }
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    save_chat_model(folder / "model")
    make_worlds(TASK, "train", CFG, folder / "train.jsonl")
    make_worlds(TASK, "validation", CFG, folder / "validation.jsonl", [folder / "train.jsonl"])
    collect(TASK, CFG, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    return folder


def train(stage, made, out, cfg):
    worlds = made / "validation.jsonl"
    files = files_in(out, made / "decisions.jsonl", made / "model", worlds)
    run(Job(stage, TASK, files), cfg)
    return pd.read_csv(files.curve)


def list_weights(folder):
    return dict(load_model(folder)[0].named_parameters())


@pytest.mark.slow
def test_the_workflow_takes_a_chat_model_through_everything_by_config_alone(made, tmp_path):
    outputs = [
        f"episodes/{name}" for name in (f"base/-/{TASK}.jsonl", f"sft_grpo/{TASK}/{TASK}.jsonl")
    ]
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]
    command += ["--directory", str(tmp_path), *(f"results/smoke/{name}" for name in outputs)]
    command += ["--config", "scale=smoke", f"tasks=[{TASK}]", f"report={{drawn_task: {TASK}}}"]
    command += [f"base={{model: {made / 'model'}}}", "prompt={style: chat, history: true}"]
    command += ["expert={trajectories: 2}", "worlds={evaluation: 2, validation: 1}"]
    command += ["rollout={max_new_tokens: 8, single_turn_states: 2}"]
    command += ["grpo={steps: 1, prompts_per_step: 2, group_size: 2, micro_batch: 2}"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout[-4000:]
    results = tmp_path / "results" / "smoke"
    for output in outputs:
        episodes = read_jsonl(results / output)
        assert len(episodes) == 2 and all(len(row["replies"]) == row["steps"] for row in episodes)
    trained = results / "models" / TASK / "grpo"
    tokenizer = load_model(trained)[1]
    assert tokenizer.chat_template == TEMPLATE and tokenizer.eos_token == "<|im_end|>"


def test_weights_in_several_files_are_joined(tmp_path):
    folder = save_chat_model(tmp_path / "sharded", shard_size="60KB")
    assert not (folder / "model.safetensors").exists()
    install_base(folder, tmp_path / "base", CHAT)
    assert (tmp_path / "base" / "model.safetensors").is_file()
    whole, parts = list_weights(tmp_path / "base"), list_weights(folder)
    assert whole.keys() == parts.keys()
    for name, weight in parts.items():
        assert torch.equal(whole[name], weight.to(torch.bfloat16).float())


def test_greedy_replies_ignore_the_samplers_that_a_published_model_comes_with(made):
    """Its generation config asks for sampling and a repetition penalty; a rollout is greedy all the same."""
    policy = TransformersPolicy.load(made / "model", 4, Sampling(6), CHAT)
    reply = policy.generate(["a kitchen"])
    model, tokenizer = load_model(made / "model")
    ids = torch.tensor(CHAT.tokenize(["a kitchen"], tokenizer))
    ends = set(model.generation_config.eos_token_id)
    written = []
    with torch.no_grad():
        while len(written) < 6 and not ends & set(written):
            token = int(model.to(choose_dtype())(ids).logits[0, -1].argmax())
            written.append(token)
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    assert reply == [tokenizer.decode(written, skip_special_tokens=True)]


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_adapters_are_trained_and_merged_into_an_ordinary_folder(made, tmp_path, stage):
    cfg = replace(CFG, train=replace(CFG.train, lora_rank=4))
    rate = 0.05
    cfg = replace(
        cfg, sft=replace(cfg.sft, learning_rate=rate), grpo=replace(cfg.grpo, learning_rate=rate)
    )
    curve = train(stage, made, tmp_path, cfg)
    assert len(curve) > 0
    before, after = list_weights(made / "model"), list_weights(tmp_path / "model")
    assert before.keys() == after.keys()
    assert read_dtype(tmp_path / "model") is read_dtype(made / "model") is torch.bfloat16
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    if (
        stage == "sft"
    ):  # one step of GRPO on a model of no knowledge has no spread of rewards to learn from
        assert changed and all("_proj" in name for name in changed)
    assert not {name for name in changed if "_proj" not in name}


def test_groups_share_their_prompts_under_adapters_with_the_gradients_of_stock_scoring(made):
    from peft import get_peft_model

    model, tokenizer = load_model(made / "model")
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    torch.manual_seed(0)
    model = get_peft_model(model, make_adapters(replace(CFG.train, lora_rank=4)))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    decisions = load_decisions(made / "decisions.jsonl")[:2]
    prompts = CHAT.tokenize([decision.prompt for decision in decisions], tokenizer)
    inputs = tokenizer.pad(
        {"input_ids": [prompt for prompt in prompts for _ in range(2)]},
        padding_side="left",
        return_tensors="pt",
    )
    replies = torch.randint(5, 200, (4, 6), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([inputs["input_ids"], replies], dim=1)
    mask = torch.cat([inputs["attention_mask"], torch.ones_like(replies)], dim=1)

    def gradients(log_probs):
        model.zero_grad()
        (log_probs * torch.linspace(-1, 1, log_probs.numel()).view_as(log_probs)).sum().backward()
        return torch.cat([w.grad.flatten() for w in model.parameters() if w.requires_grad])

    read_prompts_once(model, torch.float32)
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :-6] = -100
    found = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    shared = found.log_probs[:, -6:]
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -7:-1]
    plain = logits.log_softmax(-1).gather(-1, replies.unsqueeze(-1)).squeeze(-1)
    assert torch.allclose(shared, plain, atol=1e-4)
    one, other = gradients(shared), gradients(plain)
    assert (one - other).norm() < 1e-4 * other.norm()


def test_a_job_is_read_back_as_it_was_written(tmp_path):
    files = TrainingFiles(**{field.name: tmp_path / field.name for field in fields(TrainingFiles)})
    without = replace(files, worlds=None, validation=None, training=None)
    for job in (Job("grpo", TASK, files, tokens=5), Job("sft", TASK, without)):
        write_job(tmp_path / "jobs" / "one.json", job, CFG)
        assert read_job(tmp_path / "jobs" / "one.json") == (job, CFG)


@pytest.mark.slow
def test_two_processes_train_as_one_does(made, tmp_path, capfd):
    """The same batches, cut in two: the same losses and, up to rounding, the same weights."""
    cfg = replace(CFG, sft=replace(CFG.sft, batch_size=4))
    alone = train("sft", made, tmp_path / "one", cfg)
    spread = replace(
        cfg, train=replace(cfg.train, accelerate=str(ROOT / "envs/accelerate/multi_cpu.yaml"))
    )
    together = train("sft", made, tmp_path / "two", spread)
    assert f"SFT {TASK}: 2 processes\n" in capfd.readouterr().out
    assert together["step"].tolist() == alone["step"].tolist()
    assert together["loss"].tolist() == pytest.approx(alone["loss"].tolist(), rel=0.02)
    first, second = (list_weights(tmp_path / name / "model") for name in ("one", "two"))
    start = list_weights(made / "model")
    moved = sum((first[name] - start[name]).square().sum() for name in start).sqrt()
    apart = sum((first[name] - second[name]).square().sum() for name in start).sqrt()
    assert apart < 0.1 * moved
    assert json.loads((tmp_path / "two" / "provenance.json").read_text())["wall_seconds"] > 0
