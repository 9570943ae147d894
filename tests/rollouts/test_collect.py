"""Rejection sampling with an expert that errs: what is kept, what is counted, what a killed collection takes up."""

import json
import random
from dataclasses import replace

import pytest

from kitchens import ENV, read_jsonl
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.reply import Reply, format_reply, parse_reply, read_thought, recount
from taskreason.policies.generation import Usage
from taskreason.policies.rules import TeacherPolicy
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds

TASK = "burger"
EXPERT = {"policy": "model", "model": "api:nobody", "trajectories": 6, "attempts": 3}
CFG = load_config({"scale": "smoke", "expert": EXPERT, "prompt": {"history": True}})


class Killed(BaseException):
    """Stands for the end of the process."""


class Wavering:
    """The teacher, but for a share of its steps: waiting, an impossible action, or no thought at all."""

    name = "wavering"

    def __init__(self, share=0.08, seed=0, dies_after=None):
        self.teacher, self.random, self.share = TeacherPolicy(ENV), random.Random(seed), share
        self.usage, self.dies_after = Usage(), dies_after

    def act(self, turns):
        replies = []
        for reply in self.teacher.act(turns):
            if self.random.random() < self.share:
                reply = self.random.choice(
                    [
                        format_reply("a moment", "Do nothing"),
                        format_reply("why not", "Sing"),
                        reply[reply.index("Action") :],
                    ]
                )
            else:  # as language models do, in more lines than asked for
                reply = reply.replace("Thought: ", "I see.\nThought: so,\n", 1) + "\nObservation:"
            replies.append(reply)
        self.usage.add(len(turns), 100 * len(turns), 10 * len(turns))
        if self.dies_after is not None and self.usage.requests > self.dies_after:
            raise Killed
        return replies


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    path = tmp_path_factory.mktemp("collection") / "train.jsonl"
    make_worlds(TASK, "train", CFG, path)
    return path


def run(worlds, folder, cfg=CFG, policy=None):
    collect(TASK, cfg, worlds, folder / "d.jsonl", folder / "s.json", policy=policy or Wavering())
    return json.loads((folder / "s.json").read_text())


def test_what_is_kept_succeeds_within_the_bound_by_possible_actions(worlds, tmp_path):
    run(worlds, tmp_path)
    drawn = {start.world.id: start.world for start in load_starts(TASK, worlds, ENV)}
    rows = read_jsonl(tmp_path / "d.jsonl")
    hashes = list(dict.fromkeys(row["layout_hash"] for row in rows))
    assert len(hashes) == CFG.expert.trajectories
    for layout_hash in hashes:
        steps = [row for row in rows if row["layout_hash"] == layout_hash]
        assert len(steps) <= CFG.bound_of(TASK)
        world = drawn[layout_hash]
        state, before = world.initial, None
        for row in steps:
            assert parse_reply(row["completion"]) == Reply(row["action"], well_formed=True)
            assert row["completion"].startswith("Thought: I see. Thought: so, ")
            told = before and recount(before["completion"], accepted=True)
            assert row["prompt"].startswith(told or "Stations:")
            state, before = world.step(state, row["action"]), row
        assert world.solved(state)
    assert len(load_decisions(tmp_path / "d.jsonl", exact=False)) == len(rows)


def test_detours_are_refused_where_the_teacher_is_the_expert(worlds, tmp_path):
    waiting = Wavering(share=0)
    waiting.act = lambda turns: [
        format_reply("a moment", "Do nothing") if not turn.before else reply
        for turn, reply in zip(turns, TeacherPolicy(ENV).act(turns), strict=True)
    ]
    run(worlds, tmp_path, policy=waiting)
    with pytest.raises(UserError, match="not among optimal_actions"):
        load_decisions(tmp_path / "d.jsonl")


def test_the_summary_accounts_for_every_episode_and_token(worlds, tmp_path):
    expert = Wavering(share=0.15)
    summary = run(worlds, tmp_path, policy=expert)
    rejected = summary["rejected"]
    beyond = rejected.pop("kitchen_beyond_bound")
    assert summary["episodes"] == summary["accepted"] + sum(rejected.values())
    assert {"invalid_action", "no_thought"} <= set(rejected)
    assert summary["episodes"] > summary["kitchens_tried"] - beyond >= summary["accepted"]
    asked = expert.usage.requests
    assert 0 < summary["requests"] <= asked
    assert summary["prompt_tokens"] == 100 * summary["requests"]
    assert summary["reply_tokens"] == 10 * summary["requests"]


def test_an_episode_as_short_as_possible_ends_the_attempts(worlds, tmp_path):
    summary = run(worlds, tmp_path, policy=Wavering(share=0))
    assert set(summary["rejected"]) == {"kitchen_beyond_bound"}
    assert summary["episodes"] == summary["accepted"], "no second attempt after a perfect one"


def test_a_killed_collection_goes_on_where_it_was(worlds, tmp_path):
    with pytest.raises(Killed):
        run(worlds, tmp_path, policy=Wavering(dies_after=90))
    assert not (tmp_path / "d.jsonl").exists()
    left = tmp_path / ".d.attempts.jsonl"
    saved = [json.loads(line.partition(" ")[2]) for line in left.read_text().splitlines()]
    assert saved
    with left.open("a") as file:
        file.write('0123abcd {"episode": {"lay')
    expert = Wavering(seed=1)
    summary = run(worlds, tmp_path, policy=expert)
    assert summary["accepted"] == CFG.expert.trajectories
    first = sum(row["usage"]["requests"] for row in saved)
    assert first < summary["requests"] <= first + expert.usage.requests
    assert not left.exists()


def test_episodes_of_another_expert_are_not_taken_up(worlds, tmp_path):
    with pytest.raises(Killed):
        run(worlds, tmp_path, policy=Wavering(dies_after=90))
    other = replace(CFG, expert=replace(CFG.expert, temperature=0.1))
    expert = Wavering(share=0)
    summary = run(worlds, tmp_path, other, expert)
    assert summary["requests"] == expert.usage.requests


def test_a_budget_ends_collection_with_what_there_is(worlds, tmp_path):
    cfg = replace(CFG, expert=replace(CFG.expert, budget=5, attempts=1))
    summary = run(worlds, tmp_path, cfg, Wavering(share=0))
    beyond = summary["rejected"].get("kitchen_beyond_bound", 0)
    assert summary["episodes"] == summary["accepted"] == summary["kitchens_tried"] - beyond == 5
    hopeless = replace(CFG, expert=replace(CFG.expert, budget=5))
    with pytest.raises(UserError, match="raise expert.budget"):
        run(worlds, tmp_path / "none", hopeless, Wavering(share=1))


def test_an_expert_that_slips_leaves_its_detours_in_the_trajectories(worlds, tmp_path):
    expert = replace(CFG.expert, policy="planner", noise=0.3, attempts=20)
    cfg = replace(CFG, expert=expert)
    collect(TASK, cfg, worlds, tmp_path / "d.jsonl", tmp_path / "s.json")
    decisions = load_decisions(tmp_path / "d.jsonl", exact=cfg.expert.is_exact)
    slips = [d for d in decisions if d.action not in d.optimal_actions]
    assert 0 < len(slips) < 0.3 * len(decisions)
    with pytest.raises(UserError, match="not among optimal_actions"):
        load_decisions(tmp_path / "d.jsonl")
    exact = replace(cfg, expert=replace(expert, noise=0.0))
    collect(TASK, exact, worlds, tmp_path / "e.jsonl", tmp_path / "s.json")
    assert load_decisions(tmp_path / "e.jsonl", exact=exact.expert.is_exact)


def test_thoughts_are_cut_and_actions_stay(worlds, tmp_path):
    rows = {}
    for thoughts in ("whole", "short", "none", "english"):
        expert = replace(CFG.expert, policy="planner", thoughts=thoughts)
        cfg = replace(CFG, expert=expert, prompt=replace(CFG.prompt, history=False))
        collect(TASK, cfg, worlds, tmp_path / "d.jsonl", tmp_path / "s.json")
        rows[thoughts] = read_jsonl(tmp_path / "d.jsonl")
    same = [[(row["prompt"], row["action"]) for row in part] for part in rows.values()]
    assert same[0] == same[1] == same[2] == same[3]
    for whole, short, none, english in zip(*rows.values(), strict=True):
        for row in (whole, short, none, english):
            assert parse_reply(row["completion"]) == Reply(whole["action"], well_formed=True)
        thoughts = [read_thought(row["completion"]) for row in (whole, short, none, english)]
        assert thoughts[0].startswith(thoughts[1]) and len(thoughts[0]) > len(thoughts[1])
        assert "Robot holding" in thoughts[1] and "Carry" not in thoughts[1] and thoughts[2] == "."
        assert "I hold" in thoughts[3] and "Robot" not in thoughts[3]


def test_faults_are_made_in_what_is_left_of_a_thought(worlds, tmp_path):
    expert = replace(CFG.expert, policy="planner", thoughts="short", thought_noise=0.9)
    cfg = replace(CFG, expert=expert, prompt=replace(CFG.prompt, history=False))
    files = [tmp_path / name for name in ("faulty.jsonl", "short.jsonl")]
    collect(TASK, cfg, worlds, files[0], tmp_path / "s.json")
    collect(
        TASK,
        replace(cfg, expert=replace(expert, thought_noise=0.0)),
        worlds,
        files[1],
        tmp_path / "s.json",
    )
    faulty, short = map(read_jsonl, files)
    lengths = [[row["completion"].count(". ") for row in part] for part in (faulty, short)]
    assert lengths[0] == lengths[1] and faulty != short


@pytest.mark.parametrize(
    ("task", "other"), [("burger", "cheese_sandwich"), ("cheese_sandwich", "burger")]
)
def test_trajectories_are_as_long_as_their_own_task_allows(tmp_path, task, other):
    own = {task: {"bound": 8, "timeout": 12}, other: {"bound": 12, "timeout": 15}}
    cfg = load_config(
        {
            "scale": "smoke",
            "task_settings": own,
            "expert": {"trajectories": 4},
            "worlds": {"training": 60},
        }
    )
    path = tmp_path / "train.jsonl"
    make_worlds(task, "train", cfg, path)
    starts = load_starts(task, path, ENV)
    assert any(start.optimal_steps > 8 for start in starts)
    collect(task, cfg, path, tmp_path / "decisions.jsonl", tmp_path / "summary.json")
    lengths = {row["layout_hash"]: row["t"] + 1 for row in read_jsonl(tmp_path / "decisions.jsonl")}
    assert len(lengths) == 4 and max(lengths.values()) <= 8
