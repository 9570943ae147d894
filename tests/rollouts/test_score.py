"""Scores: what the actions do counts, nothing may be missing, and a score that was stopped goes on."""

import gzip
import json

import pytest

from kitchens import ENV
from taskreason.durability.errors import UserError
from taskreason.environments.reply import format_reply
from taskreason.policies.loading import load_rules
from taskreason.policies.rules import RulePolicy
from taskreason.rollouts.panel import RENAMED, UNSEEN, load_panel, write_panel
from taskreason.rollouts.score import (
    SeeingThrough,
    describe_panel,
    play_split,
    read_file,
    read_score,
    write_score,
)
from taskreason.studies.reference import read_reference

TASKS = ("burger", "cheese_burger")


@pytest.fixture(scope="module")
def full():
    return load_panel(ENV)


@pytest.fixture(scope="module")
def panel(full, tmp_path_factory):
    """Four worlds a task."""
    folder = tmp_path_factory.mktemp("panel")
    worlds = {
        UNSEEN: {task: [start.world for start in full.starts[UNSEEN][task][:4]] for task in TASKS}
    }
    write_panel(folder, ENV, worlds)
    return load_panel(ENV, folder)


def play(policy, panel, folder, splits=(UNSEEN, RENAMED)):
    policies = dict.fromkeys(TASKS, policy)
    rows = [play_split(policies, panel, split, 100, 0, folder) for split in splits]
    return [row for part in rows for row in part]


def write(path, panel, rows, **changes):
    about = {"panel": describe_panel(panel) | changes, "policy": {"name": "the rule"}}
    write_score(path, about, rows)
    return path


@pytest.fixture(scope="module")
def rows(panel, tmp_path_factory):
    rule = SeeingThrough(load_rules("greedy", 0, ENV))
    return play(rule, panel, tmp_path_factory.mktemp("parts"))


def test_a_score_is_read_as_it_was_written_compressed_or_not(panel, rows, tmp_path):
    scores = [
        read_score(write(tmp_path / name, panel, rows), panel) for name in ("a.json", "a.json.gz")
    ]
    for score in scores:
        assert score.name == "the rule" and len(score.episodes) == len(rows) == 16
        assert score.cells == {(split, task) for split in (UNSEEN, RENAMED) for task in TASKS}
    assert scores[0].episodes.equals(scores[1].episodes)
    twice = [write(tmp_path / f"{n}.gz", panel, rows).read_bytes() for n in range(2)]
    assert twice[0] == twice[1] and gzip.decompress(twice[0]) == (tmp_path / "a.json").read_bytes()


def test_a_policy_that_reads_worlds_plays_renamed_ones_alike(rows):
    parts = {split: [r for r in rows if r["split"] == split] for split in (UNSEEN, RENAMED)}
    told = {
        key: [(r["task"], r["success"], r["steps"]) for r in part] for key, part in parts.items()
    }
    assert told[UNSEEN] == told[RENAMED]
    actions = {key: [r["actions"] for r in part] for key, part in parts.items()}
    assert actions[UNSEEN] != actions[RENAMED]


@pytest.mark.slow
def test_the_rule_of_thumb_scores_what_its_evaluation_in_the_reference_run_says(full, tmp_path):
    outcomes, _ = read_reference(ENV.data / "reference" / "laptop")
    known = outcomes[outcomes["policy"] == "greedy"].set_index(["eval_task", "world"])["steps"]
    rule = load_rules("greedy", 0, ENV)
    played = play_split(dict.fromkeys(full.timeouts, rule), full, UNSEEN, 100, 0, tmp_path)
    assert len(played) == 400
    for row in played:
        assert known[row["task"], row["world"]] == (row["steps"] if row["success"] else 0)


def first(rows, success):
    return next(n for n, row in enumerate(rows) if row["success"] is success)


def forge(rows, number, **changes):
    return [row | changes if n == number else row for n, row in enumerate(rows)]


@pytest.fixture(scope="module")
def lost(panel, tmp_path_factory):
    """The episodes of a policy that knows nothing."""
    idle = RulePolicy("idle", lambda world, state: format_reply("why not", "Sing"))
    return play(idle, panel, tmp_path_factory.mktemp("lost"))


def test_what_is_not_what_the_actions_do_is_refused(panel, rows, lost, tmp_path):
    def refuse(changed, match):
        with pytest.raises(UserError, match=match):
            read_score(write(tmp_path / "forged.json", panel, changed), panel)

    won = first(rows, True)
    actions = rows[won]["actions"]
    refuse(
        forge(lost, 0, success=True),
        "episode 1 says success after 15 steps, but its actions come to failure",
    )
    refuse(forge(rows, won, success=False), "says failure after")
    refuse(
        forge(rows, won, steps=1),
        f"says success after 1 steps, but .* success after {len(actions)}",
    )
    refuse(
        forge(rows, won, actions=[*actions, "Do nothing"], steps=len(actions) + 1),
        "goes on after the goal",
    )
    refuse(forge(lost, 0, actions=["Sing"], steps=1), "fails before the timeout of 15 steps")
    refuse(
        forge(lost, 0, actions=["Sing"] * 16, steps=16), "but its actions come to failure after 16"
    )
    refuse(forge(rows, 0, world="0" * 16), "is in a world that the panel does not have")
    refuse(forge(rows, 0, actions="Sing"), "episode 1 is none")
    refuse([7], "episode 1 is none")


def test_a_missing_or_doubled_episode_is_refused(panel, rows, tmp_path):
    for changed, count in ((rows[1:], 3), ([*rows, rows[0]], 5), ([rows[1], *rows[1:]], 4)):
        match = f"has {count} episodes in . of the 4 worlds of burger .unseen.; each must be played once"
        with pytest.raises(UserError, match=match):
            read_score(write(tmp_path / "less.json", panel, changed), panel)
    with pytest.raises(UserError, match="holds no episode"):
        read_score(write(tmp_path / "none.json", panel, []), panel)
    part = [row for row in rows if row["split"] == UNSEEN and row["task"] == "burger"]
    assert len(read_score(write(tmp_path / "part.json", panel, part), panel).episodes) == 4


def test_a_score_of_another_panel_is_refused(panel, full, rows, tmp_path):
    path = write(tmp_path / "score.json", panel, rows)
    with pytest.raises(UserError, match="was played on another panel"):
        read_score(path, full)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"panel": {}}', '{"panel": 1, "policy": {}, "episodes": 3}']
)
def test_what_is_no_score_is_named(text, tmp_path):
    for name in ("none.json", "none.json.gz"):
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=f"{name}: is no score"):
            read_file(tmp_path / name)


def test_what_has_been_played_is_not_played_again(panel, rows, tmp_path):
    class Counting(SeeingThrough):
        asked = 0

        def act(self, turns):
            self.asked += len(turns)
            return super().act(turns)

    rule = Counting(load_rules("greedy", 0, ENV))
    assert play(rule, panel, tmp_path, (UNSEEN,)) == [r for r in rows if r["split"] == UNSEEN]
    before = rule.asked
    assert play(rule, panel, tmp_path) == rows
    assert rule.asked < 2.5 * before, "the first kind of worlds was there"
    (tmp_path / RENAMED / "burger.jsonl").unlink()
    asked = rule.asked
    assert play(rule, panel, tmp_path) == rows and 0 < rule.asked - asked < before


def test_each_task_has_the_policy_of_its_own(panel, tmp_path):
    rule = SeeingThrough(load_rules("greedy", 0, ENV))
    idle = RulePolicy("idle", lambda world, state: format_reply("why not", "Sing"))
    played = play_split({"burger": rule, "cheese_burger": idle}, panel, UNSEEN, 100, 0, tmp_path)
    assert [row["task"] for row in played] == ["burger"] * 4 + ["cheese_burger"] * 4
    assert any(row["success"] for row in played[:4])
    assert all(row["actions"] == ["Sing"] * 23 for row in played[4:])
    assert (
        json.loads((tmp_path / UNSEEN / "burger.jsonl").read_text().splitlines()[0])["model"]
        == "greedy"
    )
