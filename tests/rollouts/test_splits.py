"""Unseen worlds of further kinds: no twin of any other split's, and each of its kind."""

import json
from collections import Counter
from dataclasses import replace
from itertools import chain, combinations

import pytest

from kitchens import ENV, read_jsonl
from observation_reader import canonicalise
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.reply import read_action
from taskreason.environments.robotouille.pretraining.tokenizer import build_tokenizer
from taskreason.environments.robotouille.renaming import LARGEST, NAME
from taskreason.rollouts.dataset import load_starts, make_worlds
from taskreason.rollouts.splits import play_splits

TASKS = ENV.default_tasks
SAME = {f"{split}_seed": 1 for split in ("train", "validation", "eval", "splits")}
SMOKE = load_config({"scale": "smoke"})
# One seed for all, so that nothing but what is seen of the worlds keeps the splits apart.
SIZES = {"training": 30, "validation": 6, "evaluation": 12, "splits": 8}
CFG = replace(SMOKE, worlds=replace(SMOKE.worlds, **SIZES, **SAME))
ORDER = ("train", "validation", "eval", *ENV.splits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All splits of all tasks, each drawn after those before it."""
    folder = tmp_path_factory.mktemp("worlds")
    for task in TASKS:
        files = [folder / task / f"{split}.jsonl" for split in ORDER]
        for n, file in enumerate(files):
            make_worlds(task, file.stem, CFG, file, disjoint_from=files[:n])
    return folder


def load(folder, task, split):
    return [start.world for start in load_starts(task, folder / task / f"{split}.jsonl", ENV)]


def read_prompts(folder, task, split):
    """The first prompts of a split's worlds, numbers and order aside."""
    return {canonicalise(w.observe(w.initial)) for w in load(folder, task, split)}


@pytest.mark.parametrize("task", TASKS)
def test_no_prompt_of_a_split_has_a_twin_in_another(folder, task):
    prompts = {split: read_prompts(folder, task, split) for split in ORDER}
    sizes = {split: len(found) for split, found in prompts.items()}
    assert sizes == {"train": 30, "validation": 6, "eval": 12} | dict.fromkeys(ENV.splits, 8)
    for one, other in combinations(ORDER, 2):
        assert prompts[one].isdisjoint(prompts[other]), (one, other)


def test_the_canonical_form_tells_kitchens_apart_but_not_their_numbers():
    world = ENV.draw(ENV.tasks["cheese_burger"], 4)
    text = world.observe(world.initial)
    names = {kind + number for kind, number in NAME.findall(text)}
    # Every number is another one, and no order stays.
    renamed = ENV.rename(text, {name: NAME.sub(r"\g<1>9\2", name) for name in names})
    head, stations, rest = renamed.partition("Items:")[0], [], renamed.partition("Items:")[2]
    first, *stations = head.splitlines()
    shuffled = "\n".join([first, *stations[::-1], "Items:"]) + rest
    assert shuffled != text and canonicalise(shuffled) == canonicalise(text)
    others = [ENV.draw(ENV.tasks["cheese_burger"], seed) for seed in range(5, 25)]
    found = {canonicalise(w.observe(w.initial)) for w in [world, *others]}
    assert len(found) == len({w.id for w in [world, *others]})


@pytest.mark.parametrize("task", TASKS)
def test_in_hard_kitchens_the_rule_of_thumb_takes_no_shortest_plan(folder, task):
    rows = read_jsonl(folder / task / "hard.jsonl")
    for row, world in zip(rows, load(folder, task, "hard"), strict=True):
        assert walk_by_rule(world, row["optimal_steps"]) is None
        assert row["mode"] == "scattered"


@pytest.mark.parametrize("task", TASKS)
def test_kitchens_that_are_not_hard_are_left_out_for_that_alone(folder, task):
    """Elsewhere the rule does take shortest plans, and a kitchen is hard exactly where it does not."""
    rows = read_jsonl(folder / task / "eval.jsonl")
    verdicts = []
    for row, world in zip(rows, load(folder, task, "eval"), strict=True):
        verdicts.append(walk_by_rule(world, row["optimal_steps"]) is None)
        assert ENV.splits["hard"].keep(world) == verdicts[-1]
    assert not all(verdicts)


def walk_by_rule(world, steps):
    """Steps after which the rule of thumb reaches the goal, if it does so in so many."""
    state = world.initial
    for step in range(steps):
        if world.solved(state):
            return step
        action = read_action(ENV.rule_policies["greedy"](world, state))
        state = world.step(state, action) or state
    return steps if world.solved(state) else None


@pytest.mark.parametrize("task", TASKS)
def test_larger_kitchens_are_larger_than_all_of_training(folder, task):
    def measure(worlds):
        layouts = [world.kitchen.layout for world in worlds]
        return [len(lay.stations) for lay in layouts], [len(lay.items) for lay in layouts]

    # Many more kitchens than the files hold, of either way to draw those of training.
    drawn = (ENV.draw(ENV.tasks[task], seed, mode) for seed in range(150) for mode in ENV.modes)
    known = measure(chain(load(folder, task, "train"), drawn))
    for sizes, others in zip(measure(load(folder, task, "larger")), known, strict=True):
        assert min(sizes) > max(others) and len(set(sizes)) > 1


@pytest.mark.parametrize("task", TASKS)
def test_larger_kitchens_hold_nothing_without_a_name(task):
    """Every name is one token of the laptop's models."""
    tokenizer = build_tokenizer()
    for seed in range(60):
        world = ENV.draw(ENV.tasks[task], seed, "larger")
        things = NAME.findall(world.observe(world.initial).partition("Valid")[0])
        assert max(int(number) for _, number in things) <= LARGEST
        assert all(len(tokenizer.tokenize(f" {kind}{number}")) == 1 for kind, number in things)


def test_robots_of_larger_kitchens_hold_something_about_as_often_as_others():
    """Shares of 300 kitchens each, of a standard error of 0.04 at most."""
    for task in ("burger", "double_cheese_burger"):
        shares = []
        for mode in ("scattered", "larger"):
            worlds = [ENV.draw(ENV.tasks[task], seed, mode) for seed in range(300)]
            shares.append(sum(world.initial.hand >= 0 for world in worlds) / 300)
        assert abs(shares[0] - shares[1]) < 0.12 and min(shares) > 0.1


def test_a_split_keeps_the_shortest_plan_and_how_its_worlds_start(folder):
    starts = Counter()
    for task in TASKS:
        for split in ORDER:
            rows, worlds = read_jsonl(folder / task / f"{split}.jsonl"), load(folder, task, split)
            for row, world in zip(rows, worlds, strict=True):
                nothing = "holding nothing" in world.observe(world.initial)
                assert row["start"] == ("empty-handed" if nothing else "holding")
                assert split == "train" or len(row["plan"]) == row["optimal_steps"]
                starts[split, row["start"]] += 1
    assert not starts["grouped", "holding"] and starts["larger", "holding"]


def test_a_policy_plays_every_world_of_every_split_once(folder, tmp_path):
    files = [folder / "burger" / f"{split}.jsonl" for split in ENV.splits]
    play_splits("greedy", None, "burger", CFG, files, tmp_path / "episodes.jsonl")
    episodes = read_jsonl(tmp_path / "episodes.jsonl")
    rows = list(chain.from_iterable(map(read_jsonl, files)))
    assert [e["layout_hash"] for e in episodes] == [row["layout_hash"] for row in rows]
    hard = episodes[8:16]
    assert len(hard) == 8
    assert not any(e["success"] and e["steps"] == e["optimal_steps"] for e in hard)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda row: row | {"layout_hash": "0" * 16}, "is not what layout_hash is of"),
        (lambda row: row | {"plan": row["plan"][:-1]}, "plan does not lead to the goal"),
        (lambda row: {"layout_hash": row["layout_hash"], "optimal_steps": 1}, "layout is missing"),
    ],
)
def test_a_damaged_split_is_refused_with_file_and_line(folder, tmp_path, damage, complaint):
    rows = read_jsonl(folder / "burger" / "larger.jsonl")
    rows[2] = damage(rows[2])
    path = tmp_path / "larger.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=complaint) as caught:
        play_splits("greedy", None, "burger", CFG, [path], tmp_path / "episodes.jsonl")
    assert f"{path}:3" in str(caught.value) and not (tmp_path / "episodes.jsonl").exists()
