"""The command line: rollouts in JSON lines, refusals in one sentence, tables side by side."""

import json
import re
import subprocess
import sys

import pytest

from calls import BURGER, COMMAND, UNREACHABLE, read_lines
from taskreason.cli.main import main
from taskreason.environments.robotouille.simulator.layout_files import parse_layout

EPISODE_KEYS = set(
    ["layout_hash", "task", "steps", "success", "outcome", "optimal_steps", "actions"]
)


@pytest.mark.parametrize("form", ["file", "lines", "folder"])
def test_rollout_of_the_planner_is_optimal_on_every_form_of_layouts(call, tmp_path, form):
    _, lines, _ = call("generate", "--task", "cheese_sandwich", "--count", "3", "--seed", "5")
    rows = lines.splitlines()
    if form == "lines":
        path = tmp_path / "kitchens.jsonl"
        path.write_text(lines)
    elif form == "file":
        path, rows = tmp_path / "kitchen.json", rows[:1]
        path.write_text(json.dumps(json.loads(rows[0]), indent=2))
    else:
        path = tmp_path
        for n, row in enumerate(rows):
            (path / f"{n}.json").write_text(row)
    argv = ["rollout", "--policy", "planner", "--layouts", str(path), "--timeout", "30"]
    status, out, err = call(*argv)
    episodes = read_lines(out)
    assert status == 0 and "taskreason:" not in err, "but for lines on how far it has come"
    assert [e["layout_hash"] for e in episodes] == [
        parse_layout(json.loads(row), "x").hash for row in rows
    ]
    for episode in episodes:
        assert set(episode) >= EPISODE_KEYS
        assert episode["success"] and episode["outcome"] == "success"
        assert episode["steps"] == episode["optimal_steps"] == len(episode["actions"])
        assert episode["task"] == "cheese_sandwich"


def test_rollout_stops_at_the_timeout_and_repeats_itself(call, tmp_path):
    _, lines, _ = call("generate", "--task", "burger", "--count", "4")
    path, out_path = tmp_path / "kitchens.jsonl", tmp_path / "out" / "episodes.jsonl"
    path.write_text(lines)
    argv = ["rollout", "--policy", "random", "--layouts", str(path), "--timeout", "6"]
    argv += ["--seed", "3", "--batch-size", "2"]
    episodes = read_lines(call(*argv)[1])
    assert [e["steps"] for e in episodes] == [6] * 4
    assert {e["outcome"] for e in episodes} == {"timeout"}
    assert read_lines(call(*argv)[1]) == episodes
    assert call(*argv, "--out", str(out_path))[0] == 0
    assert read_lines(out_path.read_text()) == episodes


@pytest.mark.parametrize("policy", ["greedy", "random", "planner"])
def test_a_world_that_takes_long_to_plan_is_played_without_its_optimal_length(
    call, tmp_path, monkeypatch, policy
):
    monkeypatch.setattr("taskreason.environments.robotouille.environment.BRIEF_LIMIT", 3)
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(BURGER))
    argv = ["rollout", "--policy", policy, "--layouts", str(path), "--timeout", "8"]
    status, out, err = call(*argv)
    (episode,) = read_lines(out)
    assert status == 0 and episode["optimal_steps"] is None and episode["steps"] <= 8
    assert f"{episode['layout_hash']}: too large to find optimal_steps, written as null\n" in err
    assert policy != "planner" or episode["success"]


def test_rules_of_the_environment_are_policies_and_other_words_are_none(call, tmp_path):
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(BURGER))
    argv = ["rollout", "--layouts", str(path), "--timeout", "2", "--policy"]
    (episode,) = read_lines(call(*argv, "greedy")[1])
    assert (episode["model"], episode["steps"]) == ("greedy", 2)
    status, out, err = call(*argv, "lazy")
    assert (status, out) == (2, "") and "neither planner, random, greedy nor a model's" in err


@pytest.mark.parametrize(
    "policy, content, key",
    [
        ("no/such/folder", json.dumps(BURGER), "--policy"),
        ("planner", json.dumps(BURGER | {"goal": []}), "goal"),
        ("planner", json.dumps(UNREACHABLE), "goal"),
        ("planner", "", "kitchen.json"),
    ],
)
def test_rollout_refuses_before_it_starts(call, tmp_path, policy, content, key):
    path = tmp_path / "kitchen.json"
    path.write_text(content)
    argv = ["rollout", "--policy", policy, "--layouts", str(path), "--timeout", "5"]
    status, out, err = call(*argv)
    assert (status, out) == (2, "")
    assert key in err and err.startswith("taskreason: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["generate"],
        ["generate", "--task", "soup"],
        ["generate", "--task", "burger", "--count", "0"],
        ["generate", "--task", "burger", "--count", "many"],
        ["play", "--task", "burger", "--layout", "x.json"],
    ],
)
def test_wrong_options_exit_with_2_and_a_usage_line(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: taskreason")


def test_a_closed_pipe_is_no_error():
    argv = [*COMMAND, "generate", "--task", "burger", "--count", "2000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_commands_start_without_heavy_imports():
    heavy = ("torch", "transformers", "numpy", "pandas", "matplotlib", "jsonschema")
    code = f"import sys, taskreason.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compare_sets_two_runs_side_by_side(tmp_path, capsys):
    rows = {"main": "task,policy,seed", "generalization": "train_task,eval_task,seed"}
    for folder, rates in (("a", "0.5,0.4,0.6,9"), ("b", "0.9,0.8,1.0,8")):
        (tmp_path / folder / "tables").mkdir(parents=True)
        for name, keys in rows.items():
            text = (
                f"{keys},sr,sr_low,sr_high,asat\nburger,sft,0,{rates}\nburger,base,0,0,0,0.1,15\n"
            )
            (tmp_path / folder / "tables" / f"{name}.csv").write_text(text)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"burger +sft 0.50 \(0.40-0.60\) 0.90 \(0.80-1.00\) \+0.40 \* ", shown)
    assert re.search(r"burger +base 0.00 \(0.00-0.10\) 0.00 \(0.00-0.10\) \+0.00   ", shown)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "nowhere")]) == 2
    assert "nowhere/tables/main.csv: is no table" in capsys.readouterr().err
