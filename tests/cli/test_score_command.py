"""`taskreason score` and `taskreason compare` as a person calls them."""

import json

import pytest

from taskreason.cli import score
from taskreason.rollouts.panel import UNSEEN, load_panel, write_panel


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """Three worlds a task, of two tasks alone."""
    from kitchens import ENV

    whole = load_panel(ENV)
    worlds = {
        UNSEEN: {
            task: [start.world for start in whole.starts[UNSEEN][task][:3]]
            for task in ("cheese_sandwich", "burger")
        }
    }
    folder = tmp_path_factory.mktemp("panel")
    write_panel(folder, ENV, worlds)
    return load_panel(ENV, folder)


@pytest.fixture
def folder(panel, tmp_path, monkeypatch):
    """That panel in place of the whole one, and an empty working directory."""
    monkeypatch.setattr(score, "load_panel", lambda env: panel)
    monkeypatch.setattr(score, "list_kept", lambda env: [])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_a_score_is_written_and_two_are_compared(folder, call):
    status, out, _ = call("score", "planner", "--name", "The planner")
    assert status == 0 and "| The planner | 1.00 [0.61, 1.00] | 1.00 [0.61, 1.00] |" in out
    assert "published (10 kitchens)" in out
    made = json.loads((folder / "score.json").read_text())
    assert made["policy"] == {"name": "The planner", "source": "planner", "weights": {}}
    assert made["asked"]["temperature"] == 0 and "python" in made["made"]["versions"]
    assert len(made["episodes"]) == 12 and not (folder / "score.json.parts").exists()
    assert call("score", "random", "--out", "b.json.gz")[0] == 0
    status, out, _ = call("compare", "b.json.gz", "score.json")
    assert status == 0 and out.startswith(
        "A: random\nB: The planner\n\n| Kitchens | Task | Number |"
    )
    assert "| Renamed | Cheese sandwich | 3 |" in out


def test_a_function_of_ones_own_is_scored(folder, call):
    lines = ["def choose(observation, actions):", "    assert 'Valid actions' in observation"]
    (folder / "mine.py").write_text("\n".join([*lines, "    return actions[-1]", ""]))
    assert call("score", "mine:choose", "--splits", "unseen", "--tasks", "burger")[0] == 0
    made = json.loads((folder / "score.json").read_text())
    assert {row["task"] for row in made["episodes"]} == {"burger"}
    assert all(len(row["actions"]) == 15 for row in made["episodes"])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def choose(observation, actions): return 1/0", "failed with ZeroDivisionError: division"),
        ("def choose(observation, actions): return None", "returned NoneType; return an action's"),
        ("other = 1", "broken has no choose; correct the name"),
        ("choose = 1", "choose is no function; give one of"),
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
    ],
)
def test_a_function_that_is_none_or_fails_is_told_in_a_sentence(
    folder, call, monkeypatch, code, told
):
    monkeypatch.delitem(__import__("sys").modules, "broken", raising=False)
    (folder / "broken.py").write_text(code)
    status, out, err = call("score", "broken:choose")
    assert status == 2 and told in err and err.count("\n") == 1 and not out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["planner", "--splits", "odd"],
            "--splits: the panel has no odd; choose from unseen, renamed",
        ),
        (
            ["planner", "--tasks", "soup"],
            "--tasks: the panel has no soup; choose from cheese_sandwich",
        ),
        (["nobody"], "--policy: nobody is neither planner, random, greedy nor a model's folder"),
        (["models/{task}/grpo"], "--policy: models/cheese_sandwich/grpo is neither"),
        (["planner", "--environment", "hanoi"], "hanoi has no panel"),
    ],
)
def test_what_means_nothing_is_refused_before_any_play(folder, call, monkeypatch, words, told):
    if "hanoi" in words:
        monkeypatch.undo()
    status, _, err = call("score", *words)
    assert status == 2 and told in err and err.count("\n") == 1


def test_what_another_call_has_begun_is_not_mixed_in(folder, call):
    parts = folder / "score.json.parts"
    parts.mkdir()
    (parts / "about.json").write_text('{"policy": "another"}')
    status, _, err = call("score", "planner")
    assert status == 2 and "score.json.parts: holds what another call has begun" in err


def test_what_is_no_score_is_refused_by_compare(folder, call):
    (folder / "a.json").write_text("{}")
    status, _, err = call("compare", "a.json", "a.json")
    assert status == 2 and "a.json: is no score; give a file that `taskreason score` has" in err
