"""An expert whose thoughts err: how often, into what, and that nothing else changes."""

import re
from dataclasses import replace

import pytest

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.environments.reply import parse_reply, read_thought
from taskreason.policies.loading import load_rules
from taskreason.rollouts.collect import list_decisions
from taskreason.rollouts.dataset import draw_worlds
from taskreason.rollouts.episode import Start, run_episodes

CFG = load_config({})
OBJECT = re.compile(r"\b([a-z]+)(\d+)\b")
STATIONS = {"table", "stove", "board", "fryer", "sink"}


@pytest.fixture(scope="module")
def played():
    """The planner's episodes in 30 kitchens, each with its start."""
    task = ENV.tasks["cheese_burger"]
    worlds = [world for _, world in draw_worlds(ENV, task, "", 7_000, 30)]
    starts = [
        Start(world, "cheese_burger", ENV.teacher(world).distance(world.initial))
        for world in worlds
    ]
    return list(
        zip(starts, run_episodes(load_rules("planner", 0, ENV), starts, 40, 30), strict=True)
    )


def list_all(played, seed=0, **changes):
    expert = replace(CFG.expert, **{"thought_noise": 0.0} | changes)
    cfg = replace(CFG, seeds=(seed,), expert=expert)
    return [d for start, episode in played for d in list_decisions(start, episode, cfg)]


def list_thoughts(decisions):
    return [read_thought(decision.completion) for decision in decisions]


@pytest.mark.parametrize("fault", ["names", "missing", "foreign"])
def test_faults_touch_thoughts_and_nothing_else(played, fault):
    plain, faulty = list_all(played), list_all(played, thought_noise=0.5, thought_fault=fault)
    assert list_thoughts(plain) != list_thoughts(faulty)
    for one, other in zip(plain, faulty, strict=True):
        assert replace(other, completion=one.completion) == one
        reply = parse_reply(other.completion)
        assert reply.well_formed and reply.action == one.action in one.optimal_actions


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_a_name_becomes_another_of_its_sort_as_often_as_asked(played, rate):
    changed = mentions = 0
    pairs = zip(list_all(played), list_all(played, thought_noise=rate), strict=True)
    for one, other in pairs:
        before, after = (OBJECT.findall(read_thought(d.completion)) for d in (one, other))
        named = {kind + number for kind, number in OBJECT.findall(one.prompt)}
        assert len(before) == len(after)
        for was, now in zip(before, after, strict=True):
            mentions += was[0] != "robot"
            changed += was != now
            assert (was[0] in STATIONS) == (now[0] in STATIONS) and "".join(now) in named
    error = (rate * (1 - rate) / mentions) ** 0.5
    assert mentions > 2000 and changed / mentions == pytest.approx(rate, abs=4 * error)


def test_sentences_are_left_out_as_often_as_asked(played):
    rate, left, there = 0.3, 0, 0
    pairs = zip(
        list_all(played), list_all(played, thought_noise=rate, thought_fault="missing"), strict=True
    )
    for one, other in pairs:
        whole, rest = (read_thought(d.completion).split(". ") for d in (one, other))
        remaining = iter(sentence.strip(".") for sentence in whole)
        assert rest and all(sentence.strip(".") in remaining for sentence in rest), (
            "their order stays"
        )
        there, left = there + len(whole), left + len(whole) - len(rest)
    assert left / there == pytest.approx(rate, abs=0.04)


def test_foreign_sentences_are_of_the_same_kitchen(played):
    start, episode = played[0]
    said = {s.strip(".") for reply in episode.replies for s in read_thought(reply).split(". ")}
    faulty = list_all(played[:1], thought_noise=0.9, thought_fault="foreign")
    told = [[s.strip(".") for s in thought.split(". ")] for thought in list_thoughts(faulty)]
    assert all(sentence in said for thought in told for sentence in thought)


def test_faults_depend_on_the_seed_and_on_no_other_kitchen(played):
    alone = list_all(played[3:4], thought_noise=0.3)
    among = list_all(played, thought_noise=0.3)
    place = sum(len(episode.actions) for _, episode in played[:3])
    assert alone == among[place : place + len(alone)]
    assert alone == list_all(played[3:4], thought_noise=0.3)
    assert alone != list_all(played[3:4], seed=1, thought_noise=0.3)
