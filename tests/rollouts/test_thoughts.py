"""Experts that err: in their thoughts, which leaves actions alone, and by a rule of thumb that explains its plan."""

import json
import random
import re
from dataclasses import replace

import pytest

from kitchens import ENV, read_jsonl
from taskreason.config.load import load_config
from taskreason.environments.reply import parse_reply, read_thought
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_worlds
from taskreason.rollouts.thoughts import SENTENCE, make_faulty

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


@pytest.mark.parametrize("fault", ["names", "missing", "foreign"])
def test_faults_change_thoughts_and_leave_actions_as_they_are(worlds, tmp_path, fault):
    plain, _ = gather(worlds, tmp_path)
    faulty, _ = gather(worlds, tmp_path, thought_noise=0.5, thought_fault=fault)
    assert len(plain) == len(faulty)
    changed = 0
    for right, wrong in zip(plain, faulty, strict=True):
        assert (wrong.prompt, wrong.action) == (right.prompt, right.action)
        assert wrong.optimal_actions == right.optimal_actions
        reply = parse_reply(wrong.completion)
        assert reply.well_formed and reply.action == right.action
        changed += wrong.completion != right.completion
    assert changed > len(plain) / 2


def test_a_wrong_name_is_another_of_its_sort_in_the_prompt(worlds, tmp_path):
    plain, _ = gather(worlds, tmp_path)
    faulty, _ = gather(worlds, tmp_path, thought_noise=0.3)
    swapped = mentions = 0
    for right, wrong in zip(plain, faulty, strict=True):
        sorts = ENV.sort_names(right.prompt)
        pairs = zip(
            re.findall(r"\w+", read_thought(right.completion)),
            re.findall(r"\w+", read_thought(wrong.completion)),
            strict=True,
        )
        for before, after in pairs:
            alone = sum(sort == sorts.get(before) for sort in sorts.values()) == 1
            mentions += before in sorts and not alone
            if before != after:
                swapped += 1
                assert sorts[before] == sorts[after]
    assert 0.2 < swapped / mentions < 0.4


def test_sentences_are_left_out_or_come_from_other_states():
    thoughts = [f"One{n} is a. Two{n} is b. Three{n} is c." for n in range(6)]
    missing = make_faulty("missing", 0.4, thoughts, [""] * 6, ENV, "seed")
    foreign = make_faulty("foreign", 0.4, thoughts, [""] * 6, ENV, "seed")
    known = {sentence for thought in thoughts for sentence in SENTENCE.split(thought)}
    for n, thought in enumerate(thoughts):
        own = SENTENCE.split(thought)
        kept = SENTENCE.split(missing[n])
        assert kept and kept == [sentence for sentence in own if sentence in kept]
        taken = SENTENCE.split(foreign[n])
        assert len(taken) == 3 and set(taken) <= known
    assert missing != thoughts != foreign
    assert make_faulty("missing", 0.4, thoughts, [""] * 6, ENV, "seed") == missing
    assert make_faulty("names", 0.0, thoughts, [""] * 6, ENV, "seed") == thoughts


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
