"""The panel: its worlds are those of the default run, and neither a world nor a rule can change unseen."""

import gzip
import hashlib
import json

import pytest

from kitchens import ENV
from taskreason.durability.errors import UserError
from taskreason.environments import load_environment
from taskreason.environments.renamed import RenamedWorld
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.rollouts.panel import (
    RENAMED,
    UNSEEN,
    find_folder,
    load_panel,
    trace_world,
    write_panel,
)
from taskreason.studies.reference import read_reference

FOLDER = find_folder(ENV)


@pytest.fixture(scope="module")
def panel():
    return load_panel(ENV)


def test_there_are_a_hundred_worlds_of_each_kind_and_task_and_none_twice(panel):
    assert set(panel.starts) == {UNSEEN, "hard", "larger", RENAMED}
    seen = set()
    for by_task in panel.starts.values():
        assert list(by_task) == list(ENV.default_tasks) == list(panel.timeouts)
        for starts in by_task.values():
            ids = {start.world.id for start in starts}
            assert len(starts) == len(ids) == 100 and not ids & seen
            seen |= ids
    assert panel.timeouts == {task: ENV.tasks[task].timeout for task in ENV.default_tasks}


def test_unseen_worlds_are_those_that_the_reference_run_was_evaluated_in(panel):
    outcomes, _ = read_reference(ENV.data / "reference" / "laptop")
    for task, starts in panel.starts[UNSEEN].items():
        played = set(outcomes.loc[outcomes["eval_task"] == task, "world"])
        assert {start.world.id for start in starts} == played


def test_plans_are_shortest(panel):
    for by_task in panel.starts.values():
        for starts in by_task.values():
            for start in starts[:4]:
                world = start.world.world if isinstance(start.world, RenamedWorld) else start.world
                assert ENV.teacher(world).distance(world.initial) == start.optimal_steps


# ------------------------------------------------------------------- other names


def test_a_renamed_world_is_the_same_world_under_other_names(panel):
    changed = 0
    for one, other in zip(
        panel.starts[UNSEEN]["burger"], panel.starts[RENAMED]["burger"], strict=True
    ):
        world, renamed = one.world, other.world
        assert renamed.world.id == world.id and renamed.id != world.id
        assert len(set(renamed.renaming.values())) == len(renamed.renaming)
        state = world.initial
        possible, named = world.actions(state), renamed.actions(state)
        assert len(possible) == len(named) == len(set(named))
        assert renamed.observe(state) == ENV.rename(world.observe(state), renamed.renaming)
        for action, new in zip(possible, named, strict=True):
            assert renamed.step(state, new) == world.step(state, action)
        old = set(possible) - set(named)
        changed += bool(old)
        assert all(renamed.step(state, action) is None for action in old), "old names mean nothing"
    assert changed > 90


# --------------------------------------------------------------------- tampering


@pytest.fixture
def small(tmp_path, panel):
    """A panel of two worlds a task."""
    tasks = {"burger": [], "cheese_burger": []}
    worlds = {
        kind: {task: [start.world for start in panel.starts[kind][task][:2]] for task in tasks}
        for kind in (UNSEEN, "hard")
    }
    write_panel(tmp_path / "panel", ENV, worlds)
    return tmp_path / "panel"


def edit(folder, name, change, seal=False):
    """Change the rows of a panel's file; seal: note its new checksum, as somebody who cheats would."""
    path = folder / name
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    change(rows)
    data = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)
    path.write_bytes(data)
    if seal:
        index = json.loads((folder / "panel.json").read_text())
        index["files"][name] = hashlib.sha256(data).hexdigest()
        (folder / "panel.json").write_text(json.dumps(index))


def test_a_panel_is_the_same_when_made_again(small, tmp_path):
    again = load_panel(ENV, small)
    assert [len(by_task) for by_task in again.starts.values()] == [2, 2, 2]
    unseen = {
        kind: {task: [s.world for s in starts] for task, starts in again.starts[kind].items()}
        for kind in (UNSEEN, "hard")
    }
    write_panel(tmp_path / "again", ENV, unseen)
    assert load_panel(ENV, tmp_path / "again").sha256 == again.sha256


def take_an_item(rows):
    rows[0]["layout"]["items"].pop()


def test_a_changed_world_is_refused(small):
    edit(small, "hard.jsonl.gz", take_an_item)
    with pytest.raises(UserError, match="hard.jsonl.gz: is not the panel's file, its checksum is"):
        load_panel(ENV, small)


def test_a_changed_world_under_a_forged_checksum_is_refused(small):
    edit(small, "hard.jsonl.gz", take_an_item, seal=True)
    with pytest.raises(UserError, match="hard.jsonl.gz:1: what is described is not what the id"):
        load_panel(ENV, small)


def test_a_changed_plan_under_a_forged_checksum_is_refused(small):
    edit(small, "unseen.jsonl.gz", lambda rows: rows[1]["plan"].pop(), seal=True)
    with pytest.raises(UserError, match="unseen.jsonl.gz:2: this world no longer goes as when"):
        load_panel(ENV, small)


def test_a_changed_rule_is_refused(small, monkeypatch):
    load_panel(ENV, small)
    rule = Kitchen.valid_actions
    monkeypatch.setattr(Kitchen, "valid_actions", lambda self, state: rule(self, state)[::-1])
    with pytest.raises(UserError, match="the environment's rules or texts have changed"):
        load_panel(ENV, small)


def test_a_goal_that_is_reached_early_or_never_leaves_no_trace(panel):
    start = panel.starts[UNSEEN]["burger"][0]
    row = json.loads(gzip.decompress((FOLDER / "unseen.jsonl.gz").read_bytes()).splitlines()[100])
    world, plan = start.world, row["plan"]
    assert row["world"] == world.id and trace_world(world, plan) == row["trace"]
    assert trace_world(world, plan[:-1]) == trace_world(world, [*plan, plan[-1]]) == ""
    assert trace_world(world, ["Fly to the moon", *plan]) == ""


def test_a_missing_file_and_an_environment_without_a_panel_are_named(small):
    (small / "hard.jsonl.gz").unlink()
    with pytest.raises(UserError, match="hard.jsonl.gz: can't be read"):
        load_panel(ENV, small)
    with pytest.raises(UserError, match="hanoi has no panel of worlds to be scored on"):
        load_panel(load_environment("hanoi"))


def test_the_shipped_files_are_whole():
    index = json.loads((FOLDER / "panel.json").read_text())
    assert {path.name for path in FOLDER.glob("*.gz")} == set(index["files"])
