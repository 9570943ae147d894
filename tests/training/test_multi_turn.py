"""GRPO on whole episodes: who earns what, and a training of two steps."""

import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from trl import GRPOConfig

from kitchens import ENV, make_plan, make_start
from taskreason.config.load import load_config
from taskreason.config.models import TaskSettings
from taskreason.policies.prompt import PLAIN
from taskreason.policies.transformers import load_model
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import make_worlds
from taskreason.training.grpo import train_grpo
from taskreason.training.trainer import MultiTurnTrainer, SharedPromptTrainer, episode_reward
from training_files import files_in

TASK = "burger"
MODEL = ENV.data / "base_models" / "tiny"


def make_trainer(folder, starts, timeout, rename):
    model, tokenizer = load_model(MODEL)
    return MultiTurnTrainer(
        model=model,
        reward_funcs=[episode_reward],
        args=GRPOConfig(
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            report_to="none",
            per_device_train_batch_size=8,
            num_generations=8,
            max_completion_length=9,
        ),
        train_dataset=Dataset.from_list([{"prompt": "a"}]),
        processing_class=tokenizer,
        starts=starts,
        timeout=timeout,
        prompt=PLAIN,
        rename=rename,
    )


@pytest.mark.parametrize("left", [1, 3])
def test_every_decision_gets_the_advantage_of_its_episode(tmp_path, monkeypatch, left):
    """The expert's replies or idling, at random: an episode succeeds when all of its replies are the expert's."""
    starts = [make_start(TASK, seed, left) for seed in (1, 2)]
    trainer = make_trainer(tmp_path, starts, left, rename=None)
    tokenizer, rng, known = trainer._tokenizer, random.Random(0), {}
    for start in starts:
        teacher = ENV.teacher(start.world)
        for state, _ in make_plan(start.world):
            known[start.world.observe(state)] = teacher.reply(state)
    idle = tokenizer("Thought: so\nAction: Do nothing")["input_ids"]

    def reply(self, prompt_ids, *args, **options):
        replies = []
        for ids in prompt_ids:
            text = known.get(tokenizer.decode(ids, skip_special_tokens=True), "")
            good = text and rng.random() < 0.8
            replies.append(tokenizer(text)["input_ids"] if good else idle)
        return replies, None

    monkeypatch.setattr(SharedPromptTrainer, "_generate_single_turn", reply)
    steps = trainer.play(starts, random.Random(0))
    assert len(steps) == 2 * 8 * left, (
        "an episode ends at success or after the timeout, which are one here"
    )
    right = np.array([step.reply != idle for step in steps]).reshape(2, 8, left)
    earned = np.array([step.earned for step in steps]).reshape(2, 8, left)
    advantage = np.array([step.advantage for step in steps]).reshape(2, 8, left)
    success = right.all(axis=2)
    assert (earned == success[:, :, None]).all()
    for group in range(2):
        share = success[group].astype(float)
        assert 0 < share.sum() < 8
        expected = (share - share.mean()) / (share.std(ddof=1) + 1e-4)
        assert np.allclose(advantage[group], expected[:, None], atol=1e-5)
    assert len(trainer.collect(20)) == 20


def test_renamed_objects_are_acted_on_under_their_own_names(tmp_path, monkeypatch):
    starts = [make_start(TASK, seed, 4) for seed in (1, 2)]
    trainer = make_trainer(tmp_path, starts, 3, rename=ENV)
    tokenizer = trainer._tokenizer

    def move(self, prompt_ids, *args, **options):
        replies = []
        for ids in prompt_ids:
            lines = tokenizer.decode(ids, skip_special_tokens=True).splitlines()
            action = next(line for line in lines if line.startswith("Move"))
            replies.append(tokenizer(f"Thought: so\nAction: {action}")["input_ids"])
        return replies, None

    monkeypatch.setattr(SharedPromptTrainer, "_generate_single_turn", move)
    steps = trainer.play(starts, random.Random(3))
    prompts = [step.prompt for step in steps]
    assert prompts[0] != starts[0].world.observe(starts[0].world.initial)
    for first in range(0, len(steps), 3):
        assert len(set(prompts[first : first + 3])) > 1, (
            "the robot has moved, so actions were understood"
        )


@pytest.mark.parametrize("tokens", [0, 200])
def test_a_training_on_episodes_is_logged_like_any_other(tmp_path, tokens):
    given = {"rollout": {"max_new_tokens": 12}, "grpo": {"turns": "multi"}}
    # Shorter than the expert's plans, which a configuration may not ask for.
    short = {TASK: TaskSettings(timeout=3)}
    cfg = replace(load_config({"scale": "smoke", **given}), task_settings=short)
    train, validation = tmp_path / "train.jsonl", tmp_path / "validation.jsonl"
    make_worlds(TASK, "train", cfg, train)
    collect(TASK, cfg, train, tmp_path / "decisions.jsonl", tmp_path / "summary.json")
    make_worlds(TASK, "validation", cfg, validation, [train])
    files = files_in(tmp_path, tmp_path / "decisions.jsonl", MODEL, validation, train)
    train_grpo(TASK, cfg, files, tokens)
    log = pd.read_csv(files.curve)
    assert log["reward"].between(0, 1).all()
    drawn = log["generated_tokens"]
    rows = cfg.grpo.prompts_per_step * cfg.grpo.group_size
    assert (drawn >= rows).all(), "a token a reply at least"
    if tokens:
        assert drawn.sum() >= tokens > drawn.iloc[:-1].sum()
    else:
        assert len(log) == cfg.grpo.steps
    looks = pd.read_csv(tmp_path / "validation.csv")
    assert looks["step"].iloc[[0, -1]].tolist() == [0, len(log)]
    assert (files.model / "model.safetensors").is_file()
