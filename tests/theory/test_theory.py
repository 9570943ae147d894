"""The theorems' recursions against brute force, and their measurement on policies whose chances are known."""

import json
import zlib
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from kitchens import ENV, make_plan, make_start, make_world
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.policies.continuations import Continuations
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
from taskreason.theory.posterior import pool
from taskreason.theory.theorems import (
    OptimalPaths,
    amplify,
    find_fixed_point,
    find_stationary,
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
    assert find_fixed_point(0.7, 3.0) == pytest.approx(0.859, abs=5e-4)
    assert find_fixed_point(0.7, 10.0) == pytest.approx(0.746, abs=5e-4)


@pytest.mark.parametrize(("p_ref", "beta"), [(0.4, 3.0), (0.7, 3.0), (0.9, 10.0)])
def test_the_loss_stands_still_where_it_is_said_to(p_ref, beta):
    """The expected gradient of TRL's loss for one token with two values, over all groups of four."""
    group, still = 4, find_stationary(p_ref, beta, 4)

    def find_gradient(p):
        logit = torch.tensor(np.log(p / (1 - p)), requires_grad=True)
        chances = torch.stack([1 - logit.sigmoid(), logit.sigmoid()])
        reference = torch.tensor([1 - p_ref, p_ref])
        loss = torch.zeros((), dtype=torch.float64)
        for replies in product((0, 1), repeat=group):
            rewards = torch.tensor(replies, dtype=torch.float64)
            advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
            own = chances[list(replies)]
            ratio, d = own / own.detach(), (reference[list(replies)] / own).log()
            terms = -advantages * ratio + beta * (d.exp() - d - 1)
            loss = loss + own.detach().prod() * terms.mean()
        loss.backward()
        return float(logit.grad)

    assert find_gradient(still) == pytest.approx(0, abs=1e-6)
    # Below it the loss pulls up, above it down.
    assert find_gradient(still - 0.02) < -1e-4 and find_gradient(still + 0.02) > 1e-4
    assert p_ref < still < find_fixed_point(p_ref, beta)


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


class TabularReader:
    """Its distribution: replies are single tokens, each an action."""

    def __init__(self, worlds):
        self.policy = TabularPolicy(worlds)
        actions = {action for shares in self.policy.known.values() for action in shares}
        self.actions = sorted(actions)

    def read(self, texts):
        return TabularContinuations(self, texts)

    def decode(self, ids):
        return f"Thought: so.\nAction: {self.actions[ids[0]]}" if ids else ""


class TabularContinuations(Continuations):
    def __init__(self, reader, texts):
        super().__init__(texts, 1, (), 1.0, 64)
        self.reader = reader

    def _begin(self, numbers, prefixes, group):
        known = [self.reader.policy.known[self.prompts[number]] for number in numbers]
        rows = [[shares.get(action, 0) for action in self.reader.actions] for shares in known]
        return torch.tensor(rows).log().repeat_interleave(group, 0)

    def _step(self, tokens):
        raise AssertionError("a reply is one token")

    _keep = _step


def test_what_is_measured_is_what_the_policy_does(tmp_path):
    starts = [make_start("burger", seed, left=3) for seed in range(12)]
    reader = TabularReader([start.world for start in starts])
    theory = replace(CFG.theory, coverage=0.999999, rollouts=400, off_path=2)
    measure(reader, starts, replace(CFG, theory=theory), tmp_path / "sft.jsonl")
    rows = read_measurement(tmp_path / "sft.jsonl")
    assert [row["layout_hash"] for row in rows] == [start.world.id for start in starts]
    table = predict_worlds(rows).set_index("layout_hash")
    along = predict_along(rows)
    states = list_states(rows)
    for start, row in zip(starts, rows, strict=True):
        exact = predict_success(
            start.world.initial,
            find_paths(start.world).successors,
            lambda state, world=start.world: reader.policy.known[world.observe(state)],
        )
        found = table.loc[row["layout_hash"]]
        # States that the policy hardly ever gets to are not asked about.
        assert found.predicted_low - 1e-6 <= exact <= found.predicted_high + 1e-6
        assert found.predicted_high - found.predicted_low < 0.03
        assert found.predicted == pytest.approx(exact, abs=0.03)
        assert found.observed == pytest.approx(exact, abs=0.12)
        assert sum(row["rollouts"].values()) == 400
        first = along[along.layout_hash == row["layout_hash"]].iloc[0]
        assert (first.depth, first.left) == (0, 3)
        assert first.success == pytest.approx(found.predicted)
        mine = states[states.layout_hash == row["layout_hash"]]
        assert (mine.place == "expert").sum() == 3
        assert (mine.method == "enumerated").all() and (mine.listed > 0.9999).all()
        (start_row,) = mine[(mine.place == "expert") & (mine.depth == 0)].to_dict("records")
        shares = reader.policy.known[start.world.observe(start.world.initial)]
        (expert, *_) = [s["expert"] for s in row["states"] if s["depth"] == 0]
        assert start_row["expert"] == pytest.approx(shares[expert], abs=1e-5)
    assert table.inside.mean() >= 0.75 and pool(table["counts"]).judge() > 0.01
    assert (states.place == "off_path").sum() >= 12
    last = follow_horizons(rows).query("horizon == 3").set_index("layout_hash")
    assert (last.observed == table.observed[last.index]).all()
    assert last.predicted.to_numpy() == pytest.approx(table.predicted[last.index].to_numpy())


@pytest.mark.parametrize("damaged", [None, 0, 11])
def test_an_interrupted_measurement_goes_on(tmp_path, monkeypatch, damaged):
    """Parts of ten worlds whose lines are whole stay; the others are measured again."""
    drawn = (make_start("burger", seed, left=2) for seed in range(200))
    starts = list({start.world.id: start for start in drawn}.values())[:22]
    reader = TabularReader([start.world for start in starts])
    path, asked = tmp_path / "sft.jsonl", []

    def measure_part(reader, starts, *settings):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(starts[0])
        return measure_worlds(reader, starts, *settings)

    with monkeypatch.context() as patch:
        patch.setattr("taskreason.theory.measure.measure_worlds", measure_part)
        with pytest.raises(KeyboardInterrupt):
            measure(reader, starts, CFG, path)
    left = tmp_path / "sft.jsonl.partial"
    lines = left.read_bytes().splitlines(keepends=True)
    assert len(lines) == 20 and not path.exists()
    if damaged is not None:
        lines[damaged] = lines[damaged].replace(b"1", b"2", 1)
        left.write_bytes(b"".join(lines))
    asked.clear()

    def note(reader, starts, *settings):
        asked.append(starts[0])
        return measure_worlds(reader, starts, *settings)

    monkeypatch.setattr("taskreason.theory.measure.measure_worlds", note)
    measure(reader, starts, CFG, path)
    wanted = {None: [20], 0: [0, 20], 11: [10, 20]}[damaged]
    assert asked == [starts[n] for n in wanted] and not left.exists()
    rows = read_measurement(path)
    assert [row["layout_hash"] for row in rows] == [start.world.id for start in starts]
    for n, line in enumerate(lines):
        if n // 10 * 10 not in wanted:
            assert rows[n] == json.loads(line.partition(b" ")[2])


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
