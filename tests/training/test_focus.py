"""Which states a training asks about: all in turn, and more often those that its policy misses."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.environments.base import REHEARSED, Decision
from taskreason.training import focus
from taskreason.training.focus import draw_focused, find_missed

CFG = load_config({"scale": "smoke", "grpo": {"focus": 0.5}})


def decide(number):
    reply = f"Thought: x\nAction: go {number}"
    return Decision("k", number, f"state {number}", reply, f"go {number}", (f"go {number}",), 1)


POOL = [decide(number) for number in range(20)]


def draw(missed, number, share, seed=0):
    return Counter(d.t for d in draw_focused(POOL, missed, number, share, random.Random(seed)))


def test_without_missed_states_or_a_share_every_state_comes_equally_often():
    assert set(draw([], 60, 0.5).values()) == {3} == set(draw(POOL[:4], 60, 0.0).values())


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_share_goes_to_the_missed_states(share):
    """4 of 20 are missed: they have the share, and their fifth of the rest."""
    counts = draw(POOL[:4], 4000, share)
    missed = sum(counts[n] for n in range(4))
    assert missed / 4000 == pytest.approx(share + (1 - share) / 5, abs=0.04)
    assert max(counts[n] for n in range(4)) - min(counts[n] for n in range(4)) <= 2
    assert min(counts.values()) > 0


def test_missed_is_what_earns_less_than_the_experts_reply(monkeypatch):
    """The third reply names another action that counts where a decision is rehearsed, and not on the task."""
    rehearsed = replace(POOL[2], layout_hash=REHEARSED, optimal_actions=("go 2", "stay"))
    replies = [POOL[0].completion, "Action: go 1", "Thought: y\nAction: stay", "nonsense"]

    class Policy:
        def __init__(self, *settings):
            pass

        def complete(self, prompts):
            return replies[: len(prompts)]

    monkeypatch.setattr(focus, "TransformersPolicy", Policy)
    monkeypatch.setattr(focus, "is_supported", lambda model: True)
    pool = [POOL[0], POOL[1], rehearsed, POOL[3]]
    assert find_missed(pool, None, None, CFG) == [POOL[1], POOL[3]], "the second lacks its thought"
    on_task = [POOL[0], POOL[1], replace(rehearsed, layout_hash="k"), POOL[3]]
    assert find_missed(on_task, None, None, CFG) == on_task[1:]
    assert ENV.name == CFG.environment
    unfocused = replace(CFG, grpo=replace(CFG.grpo, focus=0.0))
    assert find_missed(pool, None, None, unfocused) == []
