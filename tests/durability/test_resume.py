"""Unfinished work of a killed job: whose it is decides whether it is taken up."""

import json
from pathlib import Path

import pytest

from taskreason.durability.checksums import describe_file
from taskreason.durability.partial_results import describe_work, take_up

PARAMS = {"seed": 0, "grpo": {"learning_rate": 1e-4, "beta": 0.1}}


@pytest.fixture
def left(tmp_path, monkeypatch):
    """What a killed job has left: a checkpoint and a partial output."""
    monkeypatch.chdir(tmp_path)
    Path("model.safetensors").write_bytes(b"weights")
    Path("checkpoints/checkpoint-4").mkdir(parents=True)
    for name in ("checkpoints/checkpoint-4/optimizer.pt", "a.jsonl.partial"):
        Path(name).write_text("half")
    return [Path("a.jsonl.partial"), Path("checkpoints")]


def start(params=PARAMS, inputs=("model.safetensors",)):
    work = describe_work(params, inputs, {})
    return take_up(Path("note.json"), work, ["a.jsonl", "b.csv"], Path("checkpoints"))


def test_the_same_job_takes_up_what_it_left(left):
    for path in start():  # what lay there before is of unknown origin
        assert path in left
    Path("checkpoints").mkdir()
    Path("a.jsonl.partial").write_text("half")
    assert start() == [] == start({"grpo": PARAMS["grpo"], "seed": 0})
    assert Path("checkpoints").is_dir() and Path("a.jsonl.partial").is_file()


@pytest.mark.parametrize("change", ["setting", "input", "note"])
def test_another_job_does_not(left, change):
    start()
    Path("checkpoints").mkdir()
    Path("a.jsonl.partial").write_text("half")
    params = PARAMS
    if change == "setting":
        params = {"seed": 0, "grpo": {"learning_rate": 2e-4, "beta": 0.1}}
    elif change == "input":
        Path("model.safetensors").write_bytes(b"weightz")
    else:
        Path("note.json").write_text("{")
    assert start(params) == [Path("a.jsonl.partial"), Path("checkpoints")]
    assert not Path("checkpoints").exists() and not Path("a.jsonl.partial").exists()
    assert start(params) == []


def test_known_checksums_stand_for_the_content(left):
    sums = {"model.safetensors": describe_file(Path("model.safetensors"))}
    work = describe_work(PARAMS, ["model.safetensors", "not there"], {})
    assert describe_work(PARAMS, ["model.safetensors"], json.loads(json.dumps(sums))) == work
    sums["model.safetensors"]["sha256"] = "0" * 64
    assert describe_work(PARAMS, ["model.safetensors"], sums) != work
