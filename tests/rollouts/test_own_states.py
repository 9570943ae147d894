"""A policy's own states: which there are, and labels that are optimal actions, whatever the policy did."""

import random
from dataclasses import replace

import pytest

from kitchens import ENV, TOAST, explore, read_jsonl
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.durability.files import write_lines
from taskreason.environments.reply import format_reply, parse_reply, read_thought
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.environments.robotouille.world import KitchenWorld
from taskreason.policies.rules import RulePolicy
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds
from taskreason.rollouts.episode import Start, rollout_to_file, run_episodes
from taskreason.rollouts.own_states import (
    label_episodes,
    score_decisions,
    write_failed_states,
    write_own_states,
)

CFG = load_config({"scale": "smoke", "expert": {"trajectories": 3}})
TIMEOUT = 12


class Stray(RulePolicy):
    """Any possible action, now and then an impossible one or none, with thoughts that are worth nothing."""

    def __init__(self, seed=0):
        super().__init__("stray", self._wander)
        self.random = random.Random(seed)

    def _wander(self, world, state):
        if self.random.random() < 0.1:
            return self.random.choice(["I give up.", format_reply("why not", "Sing")])
        return format_reply("anything goes", self.random.choice(world.actions(state)))


@pytest.fixture(scope="module")
def toast():
    """A kitchen so small that all of its states can be listed."""
    world = KitchenWorld(Kitchen(parse_layout(TOAST, "toast")))
    return Start(world, "cheese_toast", 3)


def play(start, number=30):
    return [
        episode
        for seed in range(number)
        for episode in run_episodes(Stray(seed), [start], TIMEOUT, 1)
    ]


def test_labels_are_the_optimal_actions_of_a_search_through_all_states(toast):
    kitchen = toast.world.kitchen
    successors, distance = explore(kitchen)
    states = {toast.world.observe(state): state for state in successors}
    decisions = label_episodes(play(toast), [toast], CFG)
    assert len({decision.prompt for decision in decisions}) > 15
    for decision in decisions:
        state = states[decision.prompt]
        optimal = {
            action.text
            for action, after in successors[state].items()
            if distance[after] == distance[state] - 1
        }
        assert decision.optimal_steps_left == distance[state] > 0
        assert set(decision.optimal_actions) == optimal and decision.action in optimal
        assert parse_reply(decision.completion).action == decision.action
        assert "anything goes" not in decision.completion


def test_every_state_on_the_way_has_one_label_and_the_goal_has_none(toast):
    for episode in play(toast, 10):
        decisions = label_episodes([episode], [toast], CFG)
        state, seen = toast.world.initial, {}
        for t, text in enumerate(episode.actions):
            seen.setdefault(toast.world.observe(state), t)
            state = toast.world.step(state, text) or state
        assert {d.prompt: d.t for d in decisions} == seen
        assert len(decisions) == len(seen)


def test_labels_err_in_their_thoughts_as_the_experts_do_and_nowhere_else(toast):
    expert = replace(CFG.expert, thought_noise=0.5)
    episodes = play(toast, 10)
    plain, faulty = (
        label_episodes(episodes, [toast], cfg) for cfg in (CFG, replace(CFG, expert=expert))
    )
    changed = 0
    for one, other in zip(plain, faulty, strict=True):
        changed += read_thought(one.completion) != read_thought(other.completion)
        assert replace(one, completion="") == replace(other, completion="")
        assert parse_reply(other.completion).action == one.action
    assert changed > len(plain) / 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Training worlds, the expert's trajectories, and a stray policy's episodes in the worlds."""
    folder = tmp_path_factory.mktemp("own")
    make_worlds("burger", "train", CFG, folder / "train.jsonl")
    collect("burger", CFG, folder / "train.jsonl", folder / "expert.jsonl", folder / "summary.json")
    starts = load_starts("burger", folder / "train.jsonl", ENV)[:8]
    rollout_to_file(Stray(), starts, 6, 8, folder / "episodes.jsonl")
    return folder


def test_own_states_lie_in_the_kitchens_of_the_trajectories_and_can_be_trained_on(made):
    given = (made / "train.jsonl", made / "episodes.jsonl")
    write_own_states("burger", CFG, *given, made / "expert.jsonl", made / "own.jsonl")
    decisions = load_decisions(made / "own.jsonl")
    kitchens = {row["layout_hash"] for row in read_jsonl(made / "expert.jsonl")}
    assert {decision.layout_hash for decision in decisions} == kitchens
    known = {row["prompt"] for row in read_jsonl(made / "expert.jsonl")}
    assert any(decision.prompt not in known for decision in decisions)
    foreign = read_jsonl(made / "expert.jsonl")[:1]
    write_lines(made / "other.jsonl", [row | {"layout_hash": "elsewhere"} for row in foreign])
    with pytest.raises(UserError, match="no state has a label"):
        write_own_states("burger", CFG, *given, made / "other.jsonl", made / "none.jsonl")


def test_states_of_failed_episodes_are_those_and_may_be_none(made, tmp_path):
    write_failed_states(
        "burger", CFG, made / "train.jsonl", made / "episodes.jsonl", tmp_path / "failed.jsonl"
    )
    failed = {
        row["layout_hash"] for row in read_jsonl(made / "episodes.jsonl") if not row["success"]
    }
    assert {d.layout_hash for d in load_decisions(tmp_path / "failed.jsonl")} == failed
    starts = load_starts("burger", made / "train.jsonl", ENV)[:2]
    planner = RulePolicy("planner", lambda world, state: ENV.teacher(world).reply(state))
    rollout_to_file(planner, starts, 30, 2, tmp_path / "won.jsonl")
    write_failed_states(
        "burger", CFG, made / "train.jsonl", tmp_path / "won.jsonl", tmp_path / "none.jsonl"
    )
    assert (tmp_path / "none.jsonl").read_text() == ""


def test_replies_to_labelled_states_are_counted(made):
    decisions = load_decisions(made / "expert.jsonl")

    class Knowing:
        def complete(self, prompts):
            """The expert's reply to every second prompt, another optimal action where there is one."""
            by_prompt = {d.prompt: d for d in decisions}
            found = []
            for n, prompt in enumerate(prompts):
                optimal = by_prompt[prompt].optimal_actions
                others = [action for action in optimal if action != by_prompt[prompt].action]
                action = (others or ["Sing"])[0] if n % 2 else by_prompt[prompt].action
                found.append(format_reply("so", action))
            return found

    counts = score_decisions(Knowing(), decisions)
    tied = sum(len(d.optimal_actions) > 1 for d in decisions[1::2])
    assert counts["states"] == len(decisions)
    assert counts["expert"] == -(-len(decisions) // 2)
    assert counts["optimal"] == counts["expert"] + tied
    assert score_decisions(Knowing(), []) == {"states": 0, "expert": 0, "optimal": 0}
