"""Chances of actions against full enumeration of a toy model's completions, and against single passes of a real one."""

import zlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from kitchens import ENV, make_world
from taskreason.config.groups import Theory
from taskreason.environments.reply import read_action
from taskreason.policies.continuations import CachedContinuations, Continuations
from taskreason.policies.fused import FusedModel
from taskreason.policies.fused_continuations import FusedContinuations
from taskreason.policies.transformers import load_model
from taskreason.theory.chances import DRAWN, ENUMERATED, find_chances, find_cut
from taskreason.theory.search import OTHER, Search, Tree, settle_action

WORDS = ["", "Thought: so", " or so", "\nAction: ", "go", "stay"]
END, LIMIT = 0, 4
ACTIONS = ["go", "stay"]


def give_chances(prompt, prefix, sharpness):
    """A made-up model: chances of the next word, another for every prompt and prefix."""
    rng = np.random.default_rng(zlib.crc32(repr((prompt, tuple(prefix))).encode()))
    logits = sharpness * rng.normal(size=len(WORDS))
    # Thoughts come first, then an action, so that replies name one more often than not.
    logits[min(len(prefix) + 1, 3) if len(prefix) < 3 else 4] += 1.5
    weights = np.exp(logits)
    return weights / weights.sum()


class ToyContinuations(Continuations):
    """The made-up model behind the interface of real ones."""

    def __init__(self, prompts, sharpness=1.0, rows=16):
        super().__init__(prompts, LIMIT, {END}, 1.0, rows)
        self.sharpness = sharpness

    def _logits(self):
        rows = [
            give_chances(n, ids, self.sharpness) for n, ids in zip(self.of, self.ids, strict=True)
        ]
        return torch.tensor(np.log(rows))

    def _begin(self, numbers, prefixes, group):
        self.group = group
        self.of = [self.prompts[number] for number in numbers for _ in range(group)]
        self.ids = [list(prefix) for prefix in prefixes]
        return self._logits()

    def _step(self, tokens):
        self.ids = [[*ids, int(token)] for ids, token in zip(self.ids, tokens, strict=True)]
        return self._logits()

    def _keep(self, full):
        kept = full.repeat_interleave(self.group).tolist()
        self.of = [n for n, keep in zip(self.of, kept, strict=True) if keep]
        self.ids = [ids for ids, keep in zip(self.ids, kept, strict=True) if keep]


def decode(ids):
    return "".join(WORDS[token] for token in ids)


def enumerate_all(prompt, prefix=(), sharpness=1.0):
    """Every completion from a prefix on: the probability of each named action."""
    if prefix and (prefix[-1] == END or len(prefix) == LIMIT):
        return Counter({read_action(decode(prefix)): 1.0})
    found = Counter()
    for token, chance in enumerate(give_chances(prompt, prefix, sharpness)):
        for action, share in enumerate_all(prompt, (*prefix, token), sharpness).items():
            found[action] += chance * share
    return found


def ask(writer, **settings):
    torch.manual_seed(0)
    wanted = [ACTIONS for _ in writer.prompts]
    rng = np.random.default_rng(0)
    return find_chances(writer, wanted, decode, replace(Theory(), **settings), rng)


def test_enumeration_finds_the_chances_of_a_toy_within_its_bounds():
    prompts = list(range(3))
    found = ask(ToyContinuations(prompts), paths=2000, thoughts=1000)
    for prompt, known in zip(prompts, found, strict=True):
        exact = enumerate_all(prompt)
        assert exact.total() == pytest.approx(1)
        assert known.method == ENUMERATED and known.lost <= 0.001 and not known.drawn
        for action in ACTIONS:
            low = known.finished[action]
            assert low - 1e-9 <= exact[action] <= low + known.lost + 1e-9
            assert low - 1e-9 <= known.estimate(action) <= low + known.lost + 1e-9


def search(prompts, paths, coverage=0.99999, **settings):
    writer = ToyContinuations(prompts, **settings)
    trees = [Tree([], LIMIT, writer.ends, decode, ACTIONS) for _ in prompts]
    for _ in Search(writer.follow, coverage).run(list(enumerate(trees)), paths):
        pass
    return trees


def test_a_budget_leaves_bounds_that_hold():
    prompts, before = list(range(8)), [1.0] * 8
    for paths in (1, 2, 7, 20):
        trees = search(prompts, paths)
        for prompt, tree, more in zip(prompts, trees, before, strict=True):
            exact = enumerate_all(prompt)
            assert tree.paths == paths and 0 < tree.unfinished < more
            # All that is open is known here: the vocabulary is smaller than what is kept of it.
            assert tree.known_open == pytest.approx(tree.unfinished)
            for action in ACTIONS:
                low = tree.finished[action] - 1e-9
                assert low <= exact[action] <= low + tree.unfinished + 1e-8
        before = [tree.unfinished for tree in trees]


def test_what_is_not_kept_stays_in_the_upper_bound(monkeypatch):
    monkeypatch.setattr("taskreason.theory.search.FLOOR", 0.01)
    (tree,) = search([1], paths=500)
    exact = enumerate_all(1)
    assert tree.is_exhausted and tree.known_open == 0 and tree.unfinished > 0.05
    for action in ACTIONS:
        assert tree.finished[action] <= exact[action] <= tree.finished[action] + tree.unfinished
    (known,) = ask(ToyContinuations([1]), paths=500, thoughts=1000)
    assert known.method == ENUMERATED and known.lost == pytest.approx(tree.unfinished)


def test_likelier_completions_are_listed_first():
    writer = ToyContinuations([3], sharpness=2.0)
    tree = Tree([], LIMIT, writer.ends, decode, ACTIONS)
    left = [tree.unfinished]
    for _ in Search(writer.follow, 0.9999).run([(0, tree)], paths=40):
        left.append(tree.unfinished)
    assert left == sorted(left, reverse=True) and len(left) > 3
    # What six nodes finish in the first round is more than what six do in the last.
    assert left[1] - left[2] > left[-2] - left[-1]


def test_what_is_drawn_is_unbiased_and_exact_given_the_thought(monkeypatch):
    monkeypatch.setattr("taskreason.theory.chances.ACTION_PATHS", 100)
    prompts = list(range(3))
    found = ask(ToyContinuations(prompts, sharpness=1.5, rows=512), paths=1, thoughts=800)
    away = []
    for prompt, known in zip(prompts, found, strict=True):
        exact = enumerate_all(prompt, sharpness=1.5)
        assert known.method == DRAWN and max(known.unresolved) <= 0.001 + 1e-9
        for action in ACTIONS:
            values = np.array(known.drawn[action])
            error = known.open * values.std() / len(values) ** 0.5
            share = (exact[action] - known.finished[action]) / known.open
            away.append((known.estimate(action) - exact[action]) / error)
            # Given thoughts vary less than actions that are drawn, too.
            assert values.var() < share * (1 - share)
    assert np.abs(away).max() < 4 and abs(np.mean(away)) < 1.5


def test_thoughts_end_where_the_line_of_the_action_begins():
    reply, ends = [1, 2, 3, 4, 0], frozenset({END})
    assert decode(reply[: find_cut(reply, decode)]) == "Thought: so or so\nAction: "
    assert find_cut([1, 2, 0], decode) == 3
    tree = Tree([1, 3], LIMIT, ends, decode, ACTIONS)
    writer = ToyContinuations([0])
    for _ in Search(writer.follow, 0.9999).run([(0, tree)], paths=1000):
        pass
    exact = enumerate_all(0, (1, 3))
    for action in ACTIONS:
        assert tree.finished[action] == pytest.approx(exact[action], abs=2e-4)
    assert Tree([1, 0], LIMIT, ends, decode, ACTIONS).finished == Counter({"": 1.0})


def test_paths_lead_to_what_is_asked_for_and_cost_nothing_in_exactness():
    """Whatever tokens a path takes, the probabilities are the model's."""
    writer = ToyContinuations([2])
    (greedy,) = writer.follow([(0, [1, 3])])
    (steered,) = writer.follow([(0, [1, 3])], barred=lambda place, ids: ids[2] != 5)
    assert steered.tokens[0] == 5 != greedy.tokens[0]
    chances = give_chances(2, (1, 3), 1.0)
    assert steered.own[0] == pytest.approx(chances[5])
    assert steered.chances[0] == pytest.approx(chances[steered.likely[0]])
    assert sorted(steered.likely[0]) == list(range(len(WORDS)))
    exact = enumerate_all(2, (1, 3))
    trees = [Tree([1, 3], LIMIT, writer.ends, decode, ["stay"]) for _ in range(2)]
    for tree, steer in zip(trees, (False, True), strict=True):
        for _ in Search(writer.follow, 0.9999).run([(0, tree)], paths=7, steer=steer):
            pass
        low = tree.finished["stay"]
        assert low - 1e-9 <= exact["stay"] <= low + tree.unfinished + 1e-9


def test_an_action_is_settled_where_its_line_can_not_become_a_wanted_one():
    wanted = ["Move robot1 to sink1", "Move robot1 to sink12", "Wait"]
    for text, settled in {
        "Thought: Action: Wait": None,
        "Thought: x\nAction:": None,
        "Thought: x\nAction: Move rob": None,
        "Thought: x\nAction: Pick": OTHER,
        "Thought: x\nAction: Move robot1 to sink1": None,
        "Thought: x\nAction: Move robot1 to sink1  ": None,
        "Thought: x\nAction: Move robot1 to sink2": OTHER,
        "Thought: x\nAction: Move robot1 to sink1\n": "Move robot1 to sink1",
        "Thought: x\nAction: Wait\nAction: Pick": "Wait",
        "Thought: x\nAction: Pick\nAction: Wait": OTHER,
        "<think>Action: Pick": None,
        "Thought: x\nAction: W\ufffd": None,
    }.items():
        assert settle_action(text, wanted) == settled, text
    # With the rest of the reply, whatever it is, the settled action is what is read.
    for rest in ("", "\n", "ing", "\nAction: Wait"):
        assert read_action("Thought: x\nAction: Wait\nAction: Pick" + rest) == "Wait"
        assert read_action("Thought: x\nAction: Pick" + rest) not in wanted


def test_both_engines_give_what_single_passes_of_the_model_give():
    """Prompts and prefixes of unequal length, several of one prompt, in batches that they do not fill."""
    model, tokenizer = load_model(ENV.data / "base_models" / "tiny")
    worlds = [make_world("burger", 1), make_world("double_cheese_burger", 2)]
    texts = [world.observe(world.initial) for world in worlds]
    prompts = tokenizer([texts[0], texts[1], texts[0][:-40]])["input_ids"]
    starts = [(0, []), (1, prompts[0][5:12]), (0, prompts[1][3:5]), (2, prompts[0][:20])]
    starts += [(1, prompts[2][:3]), (0, prompts[1][:9])]
    with torch.no_grad():
        fused = FusedModel(model, torch.float32, torch.float32)
    settings = (prompts, 30, {1}, 0.7, 4)
    engines = (FusedContinuations(fused, *settings), CachedContinuations(model, *settings))
    for draw in (False, True):
        for engine in engines:
            for (number, prefix), path in zip(starts, engine.follow(starts, draw), strict=True):
                assert len(prefix) + len(path.tokens) == 30 or path.tokens[-1] == 1
                ids = prompts[number] + prefix + path.tokens
                with torch.no_grad():
                    logits = model(torch.tensor([ids])).logits[0].double() / 0.7
                first = len(ids) - len(path.tokens) - 1
                exact = logits[first:-1].softmax(-1)
                own = exact.gather(1, torch.tensor(path.tokens)[:, None])[:, 0]
                np.testing.assert_allclose(path.own, own, atol=1e-4)
                top = exact.topk(path.chances.shape[1])
                np.testing.assert_allclose(path.chances, top.values, atol=1e-4)
                if not draw:
                    np.testing.assert_allclose(path.own, path.chances[:, 0])
