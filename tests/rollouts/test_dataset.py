"""Collection by rejection sampling, the disjoint splits, and trajectory files that must not be trained on."""

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

from kitchens import ENV, read_jsonl
from observation_reader import canonicalise
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.base import TaskSpec
from taskreason.environments.reply import Reply, parse_reply
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import draw_worlds, load_decisions, load_starts, make_worlds

CFG = load_config({"scale": "smoke"})


@pytest.fixture(scope="module", params=ENV.default_tasks)
def collected(request, tmp_path_factory):
    folder, task = tmp_path_factory.mktemp(request.param), request.param
    make_worlds(task, "train", CFG, folder / "train.jsonl")
    make_worlds(task, "eval", CFG, folder / "eval.jsonl", disjoint_from=[folder / "train.jsonl"])
    collect(task, CFG, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    return task, folder


def test_training_and_evaluation_share_no_world(collected):
    _, folder = collected
    splits = [
        {ENV.load(row, name).id for row in read_jsonl(folder / name)}
        for name in ("train.jsonl", "eval.jsonl")
    ]
    assert len(splits[0]) == CFG.worlds.training and len(splits[1]) == CFG.worlds.evaluation
    assert splits[0].isdisjoint(splits[1])


def test_equal_seeds_do_not_make_equal_splits(collected, tmp_path):
    """Disjoint by content: even with one seed for both splits no evaluation world is a training one."""
    task, folder = collected
    cfg = replace(CFG, worlds=replace(CFG.worlds, eval_seed=CFG.worlds.train_seed))
    make_worlds(task, "eval", cfg, tmp_path / "eval.jsonl", disjoint_from=[folder / "train.jsonl"])
    train = {row["layout_hash"] for row in read_jsonl(folder / "train.jsonl")}
    assert train.isdisjoint(row["layout_hash"] for row in read_jsonl(tmp_path / "eval.jsonl"))


class Die:
    """An environment of three worlds, which come again and again."""

    worlds = "faces"

    def draw(self, task, seed, mode):
        return SimpleNamespace(id=f"face {seed % 3}", mode=mode)


def test_no_world_is_drawn_twice_and_a_seed_stands_for_the_same_one_in_every_split():
    roll = partial(draw_worlds, Die(), TaskSpec("roll", 1, 1), "fair")
    drawn = list(roll(4, 3))
    assert [(seed, world.id) for seed, world in drawn] == [
        (4, "face 1"),
        (5, "face 2"),
        (6, "face 0"),
    ]
    assert {world.mode for _, world in drawn} == {"fair"}
    assert [seed for seed, _ in roll(4, 2)] == [4, 5], "a larger split begins as a smaller one"
    assert [seed for seed, _ in roll(0, 2, {"face 1"})] == [0, 2]
    with pytest.raises(UserError, match="roll: there are no more than 2 new faces, where 3 are"):
        list(roll(0, 3, {"face 1"}))


@pytest.mark.parametrize("mode", ENV.modes)
@pytest.mark.parametrize("task", ENV.default_tasks)
def test_seeds_of_the_training_that_come_again_bring_no_world_back(task, mode):
    """Ids are of what is seen of a world: the next worlds are those of the next seeds whose prompts are new."""

    def read(world):
        return canonicalise(world.observe(world.initial))

    train = [world for _, world in draw_worlds(ENV, ENV.tasks[task], mode, 0, 40)]
    unseen = list(draw_worlds(ENV, ENV.tasks[task], mode, 20, 40, {world.id for world in train}))
    seen, seeds = set(map(read, train)), []
    assert len(seen) == 40
    for seed in range(20, unseen[-1][0] + 1):
        form = read(ENV.draw(ENV.tasks[task], seed, mode))
        if form not in seen:
            seen.add(form)
            seeds.append(seed)
    assert [seed for seed, _ in unseen] == seeds and len(seeds) == 40


def test_a_world_that_is_not_the_one_of_its_id_is_refused(collected, tmp_path):
    task, folder = collected
    rows = read_jsonl(folder / "eval.jsonl")
    rows[1]["layout_hash"] = rows[0]["layout_hash"]
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=r"eval.jsonl:2: what is described is not what layout_hash"):
        load_starts(task, path, ENV)


def test_trajectories_are_shortest_successful_and_within_the_bound(collected):
    task, folder = collected
    starts = load_starts(task, folder / "train.jsonl", ENV)
    worlds = {start.world.id: start.world for start in starts}
    rows = read_jsonl(folder / "decisions.jsonl")
    hashes = list(dict.fromkeys(row["layout_hash"] for row in rows))
    assert len(hashes) == CFG.expert.trajectories
    for layout_hash in hashes:
        world = worlds[layout_hash]
        teacher, state = ENV.teacher(world), world.initial
        steps = [row for row in rows if row["layout_hash"] == layout_hash]
        assert len(steps) <= CFG.bound_of(task)
        for t, row in enumerate(steps):
            assert row["t"] == t and row["prompt"] == world.observe(state)
            assert row["optimal_steps_left"] == teacher.distance(state) == len(steps) - t
            assert parse_reply(row["completion"]) == Reply(row["action"], well_formed=True)
            state = world.step(state, row["action"])
        assert world.solved(state)


def test_the_summary_counts_what_was_rejected(collected):
    _, folder = collected
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["kitchens_tried"] == summary["accepted"] + sum(summary["rejected"].values())
    assert summary["decisions"] == len(read_jsonl(folder / "decisions.jsonl"))


def test_too_few_worlds_are_reported_with_the_key(collected, tmp_path):
    task, folder = collected
    cfg = load_config({"scale": "smoke", "expert": {"trajectories": CFG.worlds.training}})
    lines = (folder / "train.jsonl").read_text().splitlines()
    (tmp_path / "few.jsonl").write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(UserError, match=r"raise worlds\.training"):
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
