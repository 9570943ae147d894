"""An expert by a rule of thumb explains the plan that it goes through."""

import json
import random
import re
from dataclasses import replace

import pytest

from kitchens import ENV, read_jsonl
from taskreason.config.load import load_config
from taskreason.environments.reply import read_thought
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_worlds

TASK = "burger"
CFG = load_config({"scale": "smoke", "worlds": {"training": 40}, "expert": {"trajectories": 8}})


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    path = tmp_path_factory.mktemp("thoughts") / "train.jsonl"
    make_worlds(TASK, "train", CFG, path)
    return path


def gather(worlds, folder, **expert):
    cfg = replace(CFG, expert=replace(CFG.expert, **expert))
    collect(TASK, cfg, worlds, folder / "d.jsonl", folder / "s.json")
    return load_decisions(folder / "d.jsonl", cfg.expert.is_exact), cfg


def test_a_rule_of_thumb_explains_its_own_plan(worlds, tmp_path):
    """What it says that it will do next, and with what, is what it does, be that the planner's choice or not."""
    decisions, cfg = gather(worlds, tmp_path, policy="greedy")
    assert not cfg.expert.is_exact
    summary = json.loads((tmp_path / "s.json").read_text())
    own = read_jsonl(tmp_path / "d.jsonl")
    for number, row in enumerate(own):
        thought = read_thought(row["completion"])
        rest = [r["action"] for r in own[number:] if r["layout_hash"] == row["layout_hash"]]
        work = next(action for action in rest if not action.startswith("Move "))
        verb, place, here, says = re.search(
            r"(\w+) (\w+) robot (\w+) (here|away)\.$", thought
        ).groups()
        assert work.startswith(verb)
        assert (says == "away") == row["action"].startswith("Move ")
        assert row["action"].endswith(f" to {place}") == (says == "away")
        item = re.search(r"Carry (\w+) ", thought)
        assert item is None or item[1] in " ".join(rest)
        assert f"\nRobot {here} holding " in row["prompt"]
    off = sum(decision.action not in decision.optimal_actions for decision in decisions)
    assert (summary["policy"], summary["suboptimal"]) == ("greedy", off)


def test_a_detour_is_explained_to_its_end():
    """A plan that puts an item down and takes it up again is in the words of that plan, not of the planner's."""
    world = ENV.draw(ENV.tasks["burger"], 3)
    teacher, rng = ENV.teacher(world), random.Random(0)
    state, steps = world.initial, []
    for _ in range(4):  # a way that no planner goes
        moves = [a for a in world.actions(state) if a.startswith("Move ")]
        wanted = [a for a in moves if a not in teacher.optimal(state)] or moves
        steps.append((state, rng.choice(wanted)))
        state = world.step(state, steps[-1][1])
    while (action := teacher.choose(state)) is not None:
        steps.append((state, action))
        state = world.step(state, action)
    thoughts = ENV.explain(world, steps)
    assert len(thoughts) == len(steps)
    work = next(action for _, action in steps if not action.startswith("Move "))
    for (_, action), thought in zip(steps[:4], thoughts, strict=False):
        target = action.rpartition(" to ")[2]
        assert thought.endswith(" away.") and f"{work.split()[0]} {target} robot" in thought
    assert thoughts[5] == read_thought(teacher.reply(steps[5][0]))
