"""What an evaluation does with a policy: greedy episodes in every world, and single replies on expert states."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kitchens import ENV, read_jsonl
from taskreason.config.load import load_config
from taskreason.policies.rules import RandomPolicy, TeacherPolicy
from taskreason.rollouts.dataset import load_starts, make_worlds
from taskreason.rollouts.evaluate import evaluate, play, score_single_turns
from taskreason.training.base_model import build_base

CFG = load_config(
    {
        "scale": "smoke",
        "worlds": {"evaluation": 2},
        "rollout": {"max_new_tokens": 9},
    }
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two worlds and a model that knows nothing, whose samples therefore differ from each other."""
    folder = tmp_path_factory.mktemp("evaluate")
    make_worlds("burger", "eval", CFG, folder / "eval.jsonl")
    build_base(CFG, folder / "model", folder / "c", folder / "base.csv")
    return folder


def evaluate_into(folder, made, cfg, policy="sft", model="model", worlds=None):
    paths = {"burger": folder / "burger.jsonl"}, {"burger": folder / "burger.json"}
    start = made / model if model else None
    evaluate(policy, "burger", start, cfg, {"burger": worlds or made / "eval.jsonl"}, *paths)
    counts = json.loads((folder / "burger.json").read_text())
    return [row["replies"] for row in read_jsonl(folder / "burger.jsonl")], counts


def test_models_are_evaluated_greedily(made, tmp_path):
    """The seed changes nothing."""
    first, _ = evaluate_into(tmp_path / "a", made, CFG)
    again, _ = evaluate_into(tmp_path / "b", made, CFG.for_seed(1))
    assert first == again and all(first)
    play(made / "model", "burger", CFG, made / "eval.jsonl", tmp_path / "played.jsonl")
    assert [row["replies"] for row in read_jsonl(tmp_path / "played.jsonl")] == first


def test_single_replies_are_counted_on_the_experts_states(made, tmp_path):
    starts = load_starts("burger", made / "eval.jsonl", ENV)
    states = sum(start.optimal_steps for start in starts)
    counts = score_single_turns(TeacherPolicy(ENV), starts, 1000, ENV)
    assert counts == {"states": states, "valid": states, "expert": states, "optimal": states}
    chance = score_single_turns(RandomPolicy(0), starts, 1000, ENV)
    assert chance["valid"] == states > chance["optimal"] >= chance["expert"]
    assert score_single_turns(TeacherPolicy(ENV), starts, 5, ENV)["states"] <= 5
    _, knows_nothing = evaluate_into(tmp_path, made, CFG)
    assert knows_nothing["valid"] == 0 < knows_nothing["states"]


@pytest.mark.parametrize("train_task, asked", [("-", "chat"), ("burger", "plain")])
def test_only_a_model_that_no_task_trained_is_told_the_rules(
    made, tmp_path, monkeypatch, train_task, asked
):
    """What is loaded is asked in its format, whatever the model."""
    cfg, formats = replace(CFG, prompt=replace(CFG.prompt, untrained="react")), []

    def load(folder, size, sampling, prompt):
        formats.append(prompt.style)
        policy = RandomPolicy(0)
        policy.at_temperature = lambda temperature: policy
        return policy

    monkeypatch.setattr("taskreason.policies.transformers.TransformersPolicy.load", load)
    files = {"burger": tmp_path / "burger.jsonl"}, {"burger": tmp_path / "burger.json"}
    evaluate("base", train_task, made / "model", cfg, {"burger": made / "eval.jsonl"}, *files)
    assert formats == [asked]


def test_rules_of_thumb_need_no_model(made, tmp_path):
    replies, counts = evaluate_into(tmp_path, made, CFG, "random", None)
    assert len(replies) == 2 and counts["valid"] == counts["states"]
    assert Path(tmp_path / "burger.jsonl").stat().st_size > 0


def test_each_task_is_played_until_its_own_timeout(tmp_path):
    """A policy that solves nothing: every episode is as long as its task allows."""
    timeouts = {"cheese_sandwich": 4, "burger": 6, "cheese_burger": 5}
    own = {task: {"timeout": steps, "bound": 3} for task, steps in timeouts.items()}
    cfg = load_config({"scale": "smoke", "worlds": {"evaluation": 3}, "task_settings": own})
    worlds = {task: tmp_path / f"{task}.worlds.jsonl" for task in timeouts}
    for task, path in worlds.items():
        make_worlds(task, "eval", cfg, path)
    episodes, counts = (
        {task: tmp_path / f"{task}.{end}" for task in timeouts} for end in ("jsonl", "json")
    )
    evaluate("random", "-", None, cfg, worlds, episodes, counts)
    for task, steps in timeouts.items():
        rows = read_jsonl(episodes[task])
        assert [(row["task"], row["success"], row["steps"]) for row in rows] == [
            (task, False, steps)
        ] * 3
        wanted = {start.world.id for start in load_starts(task, worlds[task], ENV)}
        assert {row["layout_hash"] for row in rows} == wanted


def test_replies_that_end_at_the_limit_are_counted_and_warned_about(made, tmp_path, capsys):
    """A model that knows nothing ends no reply of its own accord; the tiny one does."""
    evaluate_into(tmp_path, made, CFG)
    rows = read_jsonl(tmp_path / "burger.jsonl")
    assert all(row["cut"] == row["steps"] > 0 for row in rows)
    replies = sum(row["steps"] for row in rows)
    assert (
        f"{replies} of {replies} replies were cut at rollout.max_new_tokens"
        in capsys.readouterr().err
    )
    (tmp_path / "tiny").mkdir()
    enough = replace(CFG, rollout=replace(CFG.rollout, max_new_tokens=96))
    evaluate_into(
        tmp_path / "tiny",
        ENV.data / "base_models",
        enough,
        model="tiny",
        worlds=made / "eval.jsonl",
    )
    rows = read_jsonl(tmp_path / "tiny" / "burger.jsonl")
    assert sum(row["cut"] for row in rows) < sum(row["steps"] for row in rows)
