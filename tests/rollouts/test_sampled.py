"""Episodes with sampled replies: the same bytes however often a job is killed, and the temperature asked for."""

import json
import random
from dataclasses import replace

import pytest

from kitchens import make_plan, make_world, read_jsonl
from taskreason.config.load import load_config
from taskreason.environments.reply import format_reply
from taskreason.policies import Turn
from taskreason.policies.generation import Sampling
from taskreason.policies.loading import load_model_policy
from taskreason.rollouts.dataset import make_worlds
from taskreason.rollouts.episode import Start, run_episodes
from taskreason.rollouts.evaluate import evaluate
from taskreason.rollouts.sampled import sample_to_file
from taskreason.training.base_model import build_base

CFG = load_config(
    {
        "scale": "smoke",
        "worlds": {"evaluation": 5},
        "rollout": {"max_new_tokens": 9, "batch_size": 2},
    }
)
WORLDS, PORTION, TIMEOUT = 7, 3, 6


class Killed(Exception):
    pass


class Drawing:
    """Takes the expert's action or another one by a generator that all worlds share; dies when told to."""

    name, sampling = "drawing", Sampling(9, temperature=0.5)

    def __init__(self, dies_at=None):
        self.rng, self.asked, self.dies_at = random.Random("whatever was drawn before"), 0, dies_at

    def restart(self, seed):
        self.rng = random.Random(seed)

    def act(self, turns):
        self.asked += 1
        if self.asked == self.dies_at:
            raise Killed
        return [
            format_reply("hm", self.rng.choice(turn.world.actions(turn.state))) for turn in turns
        ]


@pytest.fixture(scope="module")
def starts():
    worlds = [make_world("cheese_sandwich", seed) for seed in range(WORLDS)]
    return [Start(world, "cheese_sandwich", len(make_plan(world))) for world in worlds]


def test_a_job_that_is_killed_anywhere_writes_the_same_bytes(starts, tmp_path):
    whole = tmp_path / "whole.jsonl"
    sample_to_file(Drawing(), starts, TIMEOUT, PORTION, whole)
    rows = read_jsonl(whole)
    assert len({tuple(row["actions"]) for row in rows}) > 1, "episodes differ"
    for dies_at in range(1, 3 * TIMEOUT + 1):
        path = tmp_path / f"{dies_at}.jsonl"
        with pytest.raises(Killed):
            sample_to_file(Drawing(dies_at), starts, TIMEOUT, PORTION, path)
        assert not path.exists()
        sample_to_file(Drawing(), starts, TIMEOUT, PORTION, path)
        assert path.read_bytes() == whole.read_bytes(), dies_at


def test_what_is_whole_is_not_played_again_and_a_torn_portion_is(starts, tmp_path):
    whole, path = tmp_path / "whole.jsonl", tmp_path / "e.jsonl"
    sample_to_file(Drawing(), starts, TIMEOUT, PORTION, whole)
    with pytest.raises(Killed):
        sample_to_file(Drawing(dies_at=2 * TIMEOUT + 1), starts, TIMEOUT, PORTION, path)
    left = path.with_name("e.jsonl.partial")
    left.write_bytes(left.read_bytes()[:-30])  # the last episode of the second portion
    again = Drawing()
    sample_to_file(again, starts, TIMEOUT, PORTION, path)
    assert path.read_bytes() == whole.read_bytes() and again.asked <= 2 * TIMEOUT
    assert not left.exists()


def test_seeds_and_temperatures_draw_apart(starts, tmp_path):
    other = Drawing()
    other.sampling = replace(other.sampling, temperature=0.6)
    drawn = {
        name: sample_to_file(policy, starts, TIMEOUT, PORTION, tmp_path / name, seed)
        for name, policy, seed in (("a", Drawing(), 0), ("b", Drawing(), 1), ("c", other, 0))
    }
    actions = {name: [e.actions for e in episodes] for name, episodes in drawn.items()}
    assert actions["a"] != actions["b"] and actions["a"] != actions["c"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Five worlds and a model that knows nothing, whose samples therefore differ from each other."""
    folder = tmp_path_factory.mktemp("sampled")
    make_worlds("burger", "eval", CFG, folder / "eval.jsonl")
    build_base(CFG, folder / "model", folder / "c", folder / "base.csv")
    return folder


def evaluate_into(folder, made, temperatures, cfg=CFG):
    """Replies of the greedy episodes, and of the sampled ones by temperature."""
    sampled = {t: {"burger": folder / f"T{t:g}" / "burger.jsonl"} for t in temperatures}
    files = ({"burger": folder / f"burger.{end}"} for end in ("jsonl", "json"))
    worlds = {"burger": made / "eval.jsonl"}
    evaluate("sft", "burger", made / "model", cfg, worlds, *files, sampled)
    greedy = [row["replies"] for row in read_jsonl(folder / "burger.jsonl")]
    return greedy, {
        t: [row["replies"] for row in read_jsonl(file["burger"])] for t, file in sampled.items()
    }


def test_a_model_plays_at_each_temperature_next_to_its_greedy_episodes(made, tmp_path):
    """Near zero the likeliest token is all that is drawn, so that the episodes are the greedy ones."""
    greedy, sampled = evaluate_into(tmp_path / "a", made, [1e-6, 1.0])
    assert sampled[1e-6] == greedy != sampled[1.0]
    alone, again = evaluate_into(tmp_path / "b", made, [1.0])
    assert alone == greedy and again[1.0] == sampled[1.0], "what was drawn before changes nothing"
    _, other = evaluate_into(tmp_path / "c", made, [1.0], CFG.for_seed(1))
    assert other[1.0] != sampled[1.0]
    row = json.loads((tmp_path / "a" / "T1" / "burger.jsonl").read_text().splitlines()[0])
    assert row["seed"] == 0 and row["model"] == str(made / "model")


def test_a_model_at_another_temperature_remembers_nothing_of_its_greedy_replies(made):
    greedy = load_model_policy(made / "model", CFG)
    start = Start(make_world("burger", 3), "burger", None)
    run_episodes(greedy, [start], 3, 1)
    drawn = greedy.at_temperature(1.0)
    assert drawn.usage.requests == 0 and drawn.generator is greedy.generator
    texts = [drawn.prompt.describe(Turn(start.world, start.world.initial))] * 8
    assert len(set(drawn.complete(texts))) > 1 and len(set(greedy.complete(texts))) == 1
