"""The theorems' recursions against brute force, and their measurement on policies whose chances are known."""

import json
import zlib
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from kitchens import ENV, make_plan, make_start, make_world
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.transformers import TransformersPolicy, load_model
from taskreason.theory.analysis import (
    follow_horizons,
    list_states,
    mean_interval,
    predict_along,
    predict_worlds,
    read_measurement,
)
from taskreason.theory.measure import measure, measure_worlds
from taskreason.theory.theorems import (
    OptimalPaths,
    amplify,
    find_fixed_point,
    multiply_along,
    predict_success,
)

CFG = load_config({"scale": "smoke"})


def find_paths(world):
    return OptimalPaths(world, ENV.teacher(world))


def give_chances(world, state, greed=0.0):
    """A tabular policy over all valid actions, drawn anew for each state; ``greed`` goes to the first optimal one."""
    actions = world.actions(state)
    draw = np.random.default_rng(zlib.crc32(world.observe(state).encode()))
    weights = draw.exponential(size=len(actions))
    shares = dict(zip(actions, (1 - greed) * weights / weights.sum(), strict=True))
    if greed:
        shares[ENV.teacher(world).optimal(state)[0]] += greed
    return shares


def count_forward(world, start, chances, steps):
    """Probability of reaching the goal in exactly ``steps`` steps: every sequence of actions, step by step."""
    mass, reached = {start: 1.0}, 0.0
    for step in range(1, steps + 1):
        ahead = Counter()
        for state, share in mass.items():
            given = chances(state)
            for action in world.actions(state):
                ahead[world.step(state, action)] += share * given[action]
        reached = sum(share for state, share in ahead.items() if world.solved(state))
        assert step == steps or not reached
        mass = ahead
    return reached


@pytest.mark.parametrize(
    ("task", "seed"), [("cheese_sandwich", 3), ("burger", 5), ("double_cheese_burger", 2)]
)
def test_the_recursion_equals_brute_force(task, seed):
    world = make_world(task, seed)
    state, _ = make_plan(world)[-5]
    chances = partial(give_chances, world)
    predicted = predict_success(state, find_paths(world).successors, chances)
    assert predicted == pytest.approx(count_forward(world, state, chances, 5), abs=1e-12)
    assert 0 < predicted < 1


def test_equally_good_actions_add_up_and_trajectories_multiply():
    # Two ways from 0 to the goal 3, which need two steps both.
    graph = {0: {"left": 1, "right": 2}, 1: {"go": 3}, 2: {"go": 3}, 3: {}}
    chances = {0: {"left": 0.5, "right": 0.25, "wait": 0.25}, 1: {"go": 0.5}, 2: {"go": 1.0}}
    assert predict_success(0, graph.get, chances.get) == 0.5 * 0.5 + 0.25 * 1.0
    draws = {
        node: {text: np.array([p, 1.0]) for text, p in row.items()} for node, row in chances.items()
    }
    assert predict_success(0, graph.get, draws.get).tolist() == [0.5, 2.0]
    assert multiply_along([0.5, 0.5, 1.0]) == [0.5, 0.25, 0.25]


def test_amplification_raises_every_chance_to_a_fixed_point():
    p_ref = np.array([0.01, 0.3, 0.5, 0.9])
    for beta in (0.5, 1.0, 5.0):
        fixed = find_fixed_point(p_ref, beta)
        assert (fixed > p_ref).all()
        assert amplify(fixed, p_ref, beta) == pytest.approx(fixed, abs=1e-9)
    # By hand: logit 0.5 = 0 and 1 / (2 sqrt(0.25)) = 1, so sigmoid(1).
    assert amplify(0.5, 0.5, 2.0, epsilon=0.0) == pytest.approx(0.7310585786300049)
    assert amplify([0.0, 1.0], [0.0, 1.0], 1.0).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="beta 0"):
        amplify(p_ref, p_ref, 0.0)


class TabularPolicy(GeneratingPolicy):
    """Replies drawn from a tabular policy that is near the optimum, on states that a measurement may ask about."""

    def __init__(self, worlds):
        super().__init__("tabular", Sampling(50, 1.0))
        self.rng = np.random.default_rng(0)
        self.known = {}
        for world in worlds:
            paths, pending = find_paths(world), [world.initial]
            while pending:
                state = pending.pop()
                after = [world.step(state, action) for action in world.actions(state)]
                pending += paths.successors(state).values()
                for known in (state, *after):
                    if not world.solved(known):
                        shares = give_chances(world, known, greed=0.7)
                        self.known[world.observe(known)] = shares

    def sample(self, texts, number):
        """``number`` replies to each text."""
        return [[self.draw(text) for _ in range(number)] for text in texts]

    def draw(self, text):
        action = self.rng.choice(list(self.known[text]), p=list(self.known[text].values()))
        return f"Thought: so.\nAction: {action}"


def test_what_is_measured_is_what_the_policy_does(tmp_path):
    starts = [make_start("burger", seed, left=3) for seed in range(12)]
    policy = TabularPolicy([start.world for start in starts])
    theory = replace(CFG.theory, replies=400, rollouts=400, off_path=2)
    measure(policy, starts, replace(CFG, theory=theory), tmp_path / "sft.jsonl")
    rows = read_measurement(tmp_path / "sft.jsonl")
    assert [row["layout_hash"] for row in rows] == [start.world.id for start in starts]
    table = predict_worlds(rows).set_index("layout_hash")
    along = predict_along(rows)
    states = list_states(rows)
    for start, row in zip(starts, rows, strict=True):
        exact = predict_success(
            start.world.initial,
            find_paths(start.world).successors,
            lambda state, world=start.world: policy.known[world.observe(state)],
        )
        found = table.loc[row["layout_hash"]]
        assert found.predicted == pytest.approx(exact, abs=0.12)
        assert found.observed == pytest.approx(exact, abs=0.12)
        assert sum(row["rollouts"].values()) == 400 and found.missed < 0.03
        first = along[along.layout_hash == row["layout_hash"]].iloc[0]
        assert (first.depth, first.left) == (0, 3)
        assert first.success == pytest.approx(found.predicted)
        mine = states[states.layout_hash == row["layout_hash"]]
        assert (mine.replies == 400).all() and (mine.place == "expert").sum() == 3
    assert table.inside.mean() >= 0.75
    assert (states.place == "off_path").sum() >= 12
    last = follow_horizons(rows).query("horizon == 3").set_index("layout_hash")
    assert (last.observed == table.observed[last.index]).all()


@pytest.mark.parametrize("damaged", [None, 0, 11])
def test_an_interrupted_measurement_goes_on(tmp_path, monkeypatch, damaged):
    """Parts of ten worlds whose lines are whole stay; the others are measured again."""
    starts = [make_start("burger", seed, left=2) for seed in range(22)]
    policy = TabularPolicy([start.world for start in starts])
    path, asked = tmp_path / "sft.jsonl", []

    def measure_part(policy, starts, *settings):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(starts[0])
        return measure_worlds(policy, starts, *settings)

    with monkeypatch.context() as patch:
        patch.setattr("taskreason.theory.measure.measure_worlds", measure_part)
        with pytest.raises(KeyboardInterrupt):
            measure(policy, starts, CFG, path)
    left = tmp_path / "sft.jsonl.partial"
    lines = left.read_bytes().splitlines(keepends=True)
    assert len(lines) == 20 and not path.exists()
    if damaged is not None:
        lines[damaged] = lines[damaged].replace(b"1", b"2", 1)
        left.write_bytes(b"".join(lines))
    asked.clear()

    def note(policy, starts, *settings):
        asked.append(starts[0])
        return measure_worlds(policy, starts, *settings)

    monkeypatch.setattr("taskreason.theory.measure.measure_worlds", note)
    measure(policy, starts, CFG, path)
    wanted = {None: [20], 0: [0, 20], 11: [10, 20]}[damaged]
    assert asked == [starts[n] for n in wanted] and not left.exists()
    rows = read_measurement(path)
    assert [row["layout_hash"] for row in rows] == [start.world.id for start in starts]
    for n, line in enumerate(lines):
        if n // 10 * 10 not in wanted:
            assert rows[n] == json.loads(line.partition(b" ")[2])


def test_a_wrong_recursion_is_noticed():
    states = [
        {"depth": 0, "expert": "go", "optimal": {"go": 1}, "counts": {"go": 16, "": 16}},
        {"depth": 1, "expert": "go", "optimal": {"go": None}, "counts": {"go": 16, "stay": 16}},
    ]
    row = {"layout_hash": "k", "optimal_steps": 2, "states": states, "off_path": []}
    for right, inside in ((25, True), (50, False), (2, False)):
        table = predict_worlds([row | {"rollouts": {"0": 100 - right, "2": right}}])
        assert table.predicted[0] == 0.25 and table.missed[0] == 0 and table.unique[0]
        assert table.inside[0] == inside
    unasked = states[:1] + [states[1] | {"optimal": {"go": -1}}]
    table = predict_worlds([row | {"states": unasked, "rollouts": {"0": 75, "2": 25}}])
    assert (table.predicted[0], table.missed[0]) == (0, 0.25)


def test_kitchens_are_what_the_interval_of_a_mean_draws():
    # Within a kitchen all values agree, so forty values are worth four.
    values = pd.Series([0.0] * 20 + [1.0] * 20)
    mean, low, high = mean_interval(values, pd.Series(np.repeat(range(4), 10)))
    assert (mean, low, high) == (0.5, 0.0, 1.0)
    assert mean_interval(values, pd.Series(range(40)))[1] > 0.3


def test_damaged_measurements_are_refused(tmp_path):
    path = tmp_path / "sft.jsonl"
    path.write_text('{"layout_hash": "k"}\n')
    with pytest.raises(UserError, match=r"sft.jsonl:1: key 'optimal_steps' is missing"):
        read_measurement(path)


def test_replies_in_groups_are_drawn_from_the_model():
    """First tokens of many replies, their prompts read once, against the model's probabilities at the prompts' ends."""
    folder = ENV.data / "base_models" / "tiny"
    policy, model = (
        TransformersPolicy.load(folder, 600, Sampling(1, 1.0, seed=0)),
        load_model(folder)[0],
    )
    worlds = [make_world("burger", 1), make_world("double_cheese_burger", 2)]
    texts = [world.observe(world.initial)[:-40] for world in worlds]
    for text, replies in zip(texts, policy.sample(texts, 400), strict=True):
        ids = torch.tensor(policy.tokenizer([text])["input_ids"])
        with torch.no_grad():
            chances = model(ids).logits[0, -1].float().softmax(-1)
        counts = Counter(replies)
        assert sum(counts.values()) == 400
        for token in chances.topk(3).indices:
            chance = float(chances[token])
            word = policy.tokenizer.decode([int(token)], skip_special_tokens=True)
            assert counts[word] / 400 == pytest.approx(chance, abs=0.01 + 4 * (chance / 400) ** 0.5)
    greedy = TransformersPolicy.load(folder, 3, Sampling(8))
    assert [set(row) for row in greedy.sample(texts, 3)] == [{r} for r in greedy.generate(texts)]
