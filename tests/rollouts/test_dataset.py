"""Collection by rejection sampling, the disjoint splits, and trajectory files that must not be trained on."""

import json
from dataclasses import replace

import pytest

from kitchens import read_jsonl
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.policies.prompt import build_prompt
from taskreason.policies.reply import score_reply
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_kitchens

CFG = load_config({"scale": "smoke"})


@pytest.fixture(scope="module", params=list(TASKS))
def collected(request, tmp_path_factory):
    folder, task = tmp_path_factory.mktemp(request.param), request.param
    make_kitchens(task, "train", CFG, folder / "train.jsonl")
    make_kitchens(task, "eval", CFG, folder / "eval.jsonl", disjoint_from=[folder / "train.jsonl"])
    collect(task, CFG, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    return task, folder


def test_training_and_evaluation_share_no_kitchen(collected):
    _, folder = collected
    splits = [
        {parse_layout(row["layout"], name).hash for row in read_jsonl(folder / name)}
        for name in ("train.jsonl", "eval.jsonl")
    ]
    assert len(splits[0]) == CFG.kitchens.training and len(splits[1]) == CFG.kitchens.evaluation
    assert splits[0].isdisjoint(splits[1])


def test_equal_seeds_do_not_make_equal_splits(collected, tmp_path):
    """Disjoint by content: even with one seed for both splits no evaluation kitchen is a training one."""
    task, folder = collected
    cfg = replace(CFG, kitchens=replace(CFG.kitchens, eval_seed=CFG.kitchens.train_seed))
    make_kitchens(
        task, "eval", cfg, tmp_path / "eval.jsonl", disjoint_from=[folder / "train.jsonl"]
    )
    train = {row["layout_hash"] for row in read_jsonl(folder / "train.jsonl")}
    assert train.isdisjoint(row["layout_hash"] for row in read_jsonl(tmp_path / "eval.jsonl"))


def test_trajectories_are_shortest_successful_and_within_the_bound(collected):
    task, folder = collected
    kitchens = {row["layout_hash"]: row["layout"] for row in read_jsonl(folder / "train.jsonl")}
    rows = read_jsonl(folder / "decisions.jsonl")
    hashes = list(dict.fromkeys(row["layout_hash"] for row in rows))
    assert len(hashes) == CFG.expert.trajectories
    for layout_hash in hashes:
        kitchen = Kitchen(parse_layout(kitchens[layout_hash], "train"))
        planner, state = Planner(kitchen), kitchen.initial
        steps = [row for row in rows if row["layout_hash"] == layout_hash]
        assert len(steps) <= CFG.bound_of(task)
        for t, row in enumerate(steps):
            assert row["t"] == t and row["prompt"] == build_prompt(kitchen, state)
            assert row["optimal_steps_left"] == planner.distance(state) == len(steps) - t
            assert sum(score_reply(row["completion"], (row["action"],))) == 1.0
            state = kitchen.step(state, kitchen.find_action(state, row["action"]))
        assert kitchen.is_goal(state)


def test_the_summary_counts_what_was_rejected(collected):
    _, folder = collected
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["kitchens_tried"] == summary["accepted"] + sum(summary["rejected"].values())
    assert summary["decisions"] == len(read_jsonl(folder / "decisions.jsonl"))


def test_too_few_kitchens_are_reported_with_the_key(collected, tmp_path):
    task, folder = collected
    cfg = load_config({"scale": "smoke", "expert": {"trajectories": CFG.kitchens.training}})
    lines = (folder / "train.jsonl").read_text().splitlines()
    (tmp_path / "few.jsonl").write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(UserError, match=r"raise kitchens\.training"):
        collect(task, cfg, tmp_path / "few.jsonl", tmp_path / "d.jsonl", tmp_path / "s.json")
    assert not (tmp_path / "d.jsonl").exists()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda row: "not json", "the line is not JSON"),
        (
            lambda row: json.dumps({k: v for k, v in row.items() if k != "action"}),
            "key 'action' is missing",
        ),
        (
            lambda row: json.dumps(row | {"action": "Do a dance"}),
            "not among the prompt's valid actions",
        ),
        (lambda row: json.dumps(row | {"optimal_actions": []}), "not among optimal_actions"),
        (lambda row: json.dumps(row | {"completion": "Action: " + row["action"]}), "full reward"),
        (lambda row: json.dumps(row | {"prompt": 7}), "must be text"),
    ],
)
def test_a_damaged_trajectory_file_is_refused_with_file_and_line(
    collected, tmp_path, damage, complaint
):
    _, folder = collected
    lines = (folder / "decisions.jsonl").read_text().splitlines()
    lines[2] = damage(json.loads(lines[2]))
    path = tmp_path / "decisions.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError) as caught:
        load_decisions(path)
    message = str(caught.value)
    assert (
        message.startswith(f"{path}:3: ")
        and complaint in message
        and message.endswith("make it again.")
    )


def test_an_empty_trajectory_file_is_refused(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(UserError, match="holds no lines"):
        load_decisions(tmp_path / "none.jsonl")
