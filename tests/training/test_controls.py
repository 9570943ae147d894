"""The control of longer SFT: as many replies as GRPO samples, whatever either of them rehearses."""

from dataclasses import replace

import pandas as pd
import pytest

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.rollouts.dataset import load_decisions
from taskreason.training.sft import train_sft_longer
from training_files import files_in, make_data

TASK = "cheese_sandwich"
CFG = load_config({"scale": "smoke", "expert": {"trajectories": 2}})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("controls")
    make_data(folder, TASK, CFG)
    return folder


@pytest.mark.parametrize(
    ("grpo", "rehearsed"),
    [({"steps": 3}, 0.0), ({"steps": 3, "rehearsal": 0.5}, 0.25), ({"epochs": 2}, 0.25)],
)
def test_longer_sft_sees_as_many_replies_as_grpo_samples(made, tmp_path, grpo, rehearsed):
    """A step of GRPO is 4 states of 4 replies, or two batches of SFT; two epochs take every state twice."""
    cfg = replace(CFG, grpo=replace(CFG.grpo, **grpo), sft=replace(CFG.sft, rehearsal=rehearsed))
    files = files_in(tmp_path, made / "decisions.jsonl", ENV.data / "base_models" / "tiny")
    train_sft_longer(TASK, cfg, files)
    states = len(load_decisions(made / "decisions.jsonl"))
    steps = 3 if "steps" in grpo else -(-2 * states // 4)
    assert pd.read_csv(files.curve)["step"].iloc[-1] == 2 * steps
