"""Known traps of trainers for language models, each met once.

Padding that is missing or is what ends replies; groups of replies from which nothing can be learnt.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.config.models import TaskSettings
from taskreason.training.base_model import build_base
from taskreason.training.grpo import train_grpo
from taskreason.training.sft import train_sft
from training_files import files_in, make_data

TASK = "cheese_sandwich"
TINY = ENV.data / "base_models" / "tiny"
CFG = load_config({"scale": "smoke", "sft": {"epochs": 1}, "grpo": {"steps": 2, "eval_steps": 0}})
CFG = replace(CFG, task_settings={TASK: TaskSettings(timeout=3)})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traps")
    make_data(folder, TASK, CFG)
    return folder


def train(stage, made, out, start, cfg=CFG):
    """(log, weights) of a training."""
    files = files_in(out, made / "decisions.jsonl", start, made / "validation.jsonl")
    {"sft": train_sft, "grpo": train_grpo}[stage](TASK, cfg, files)
    return pd.read_csv(files.curve), load_file(files.model / "model.safetensors")


def pad_with(folder, token):
    """A copy of a model that pads with another token, or knows none to pad with."""
    shutil.copytree(TINY, folder)
    for name, key in (("tokenizer_config.json", "pad_token"), ("config.json", "pad_token_id")):
        settings = json.loads((folder / name).read_text())
        other = settings[key.replace("pad", "eos")] if token == "eos" else None
        (folder / name).write_text(json.dumps(settings | {key: other}))
    return folder


@pytest.mark.parametrize("token", ["none", "eos"])
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_what_a_tokenizer_pads_with_changes_no_weight(made, tmp_path, stage, token):
    """Padding is no part of a loss, even where it is the token that ends replies, which is."""
    log, weights = train(stage, made, tmp_path / "own", TINY)
    other = pad_with(tmp_path / "other", token)
    log_other, weights_other = train(stage, made, tmp_path / "trained", other)
    assert log.drop(columns="seconds").equals(log_other.drop(columns="seconds"))
    before = load_file(TINY / "model.safetensors")
    assert any((weights[name] != before[name]).any() for name in weights)
    for name, value in weights.items():
        assert np.array_equal(value, weights_other[name]), name


def test_replies_that_are_all_cut_earn_nothing_and_break_nothing(made, tmp_path):
    cut = replace(CFG, rollout=replace(CFG.rollout, max_new_tokens=2))
    log, weights = train("grpo", made, tmp_path, TINY, cut)
    assert (log["reward"] == 0).all() and (log["completion_length"] == 2).all()
    assert all(np.isfinite(value).all() for value in weights.values())


def test_rewards_that_are_all_equal_move_no_weight(made, tmp_path):
    """Every advantage is zero, and so is every gradient where nothing pulls back to the reference."""
    build_base(CFG, tmp_path / "base", tmp_path / "c", tmp_path / "base.csv")
    alone = replace(CFG, grpo=replace(CFG.grpo, beta=0.0))
    log, weights = train("grpo", made, tmp_path / "out", tmp_path / "base", alone)
    assert (log["reward_std"] == 0).all() and (log["zero_std_share"] == 1).all()
    before = load_file(tmp_path / "base" / "model.safetensors")
    for name, value in weights.items():
        assert np.array_equal(value, before[name]), name
