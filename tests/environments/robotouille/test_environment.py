"""Kitchens behind the protocol: worlds, teachers, what is read and written, and what the folder may import."""

import json
import random
import subprocess
import sys

import pytest

from kitchens import ENV, make_world, soup_world, write_layout
from taskreason.durability.errors import UserError
from taskreason.environments.reply import read_action
from taskreason.environments.robotouille import environment
from taskreason.environments.robotouille.tasks import TASKS

CASES = [(name, seed) for name in TASKS for seed in (1, 2)]


@pytest.mark.parametrize("name,seed", CASES)
def test_a_world_is_what_the_protocol_says(name, seed):
    world = make_world(name, seed, "scattered")
    assert ENV.draw(TASKS[name], seed).id == world.id, "scattered is the default"
    state, rng = world.initial, random.Random(seed)
    for _ in range(30):
        actions = world.actions(state)
        listed = world.observe(state).partition("Valid actions:\n")[2].partition("Goal:")[0]
        assert actions == listed.splitlines() and len(set(actions)) == len(actions)
        assert world.step(state, "Fly to the moon") is None and world.step(state, "") is None
        assert hash(state) == hash(state) and not world.solved(state)
        state = world.step(state, rng.choice(actions))
        assert state is not None


@pytest.mark.parametrize("name,seed", CASES)
def test_a_teacher_is_what_the_protocol_says(name, seed):
    """Every optimal action gains a step, no other one does, and the one chosen is optimal.

    No other one: within forty steps of the goal. Further away, it can take minutes to plan on from an action astray.
    """
    world = make_world(name, seed, "grouped")
    teacher, state = ENV.teacher(world), world.initial
    while left := teacher.distance(state):
        tried = world.actions(state) if left <= 40 else teacher.optimal(state)
        after = {a: teacher.distance(world.step(state, a)) for a in tried}
        best = {action for action, steps in after.items() if steps == left - 1}
        assert set(teacher.optimal(state)) == best and teacher.choose(state) in best
        assert read_action(teacher.reply(state)) == teacher.choose(state)
        state = world.step(state, teacher.choose(state))
    assert world.solved(state) and not teacher.optimal(state) and teacher.choose(state) is None
    with pytest.raises(ValueError):
        teacher.reply(state)


def test_a_world_survives_its_row_in_a_file(tmp_path):
    world = make_world("cheese_burger", 3)
    row = json.loads(json.dumps(ENV.dump(world) | {"layout_hash": world.id}))
    again = ENV.load(row, "somewhere:7")
    assert again.id == world.id and again.initial == world.initial and again != world
    del row["layout"]["stations"]
    with pytest.raises(UserError, match="^somewhere:7: stations is missing"):
        ENV.load(row, "somewhere:7")


def test_worlds_of_a_person_s_own_belong_to_the_task_of_their_goal(tmp_path):
    write_layout(tmp_path, "a")
    (tmp_path / "b.json").write_text(json.dumps(ENV.dump(make_world("burger", 5))))
    found = ENV.read_worlds(tmp_path)
    assert [task for _, task in found] == ["other", "burger"]
    assert found[1][0].id == make_world("burger", 5).id


def test_an_impatient_teacher_gives_up_where_a_patient_one_does_not(monkeypatch):
    monkeypatch.setattr(environment, "BRIEF_LIMIT", 3)
    world = make_world("cheese_burger", 1)
    assert ENV.teacher(world).distance(world.initial) > 3
    with pytest.raises(UserError, match="the planner gave up after 3 states"):
        ENV.teacher(world, patient=False).distance(world.initial)


def test_more_small_kitchens_than_kitchens_are_refused():
    sizes = {"drills": 0, "small_chores": 5, "chores": 5, "starts": 0}
    ENV.check_curriculum(sizes)
    with pytest.raises(UserError, match="6 small_chores, more than its 5 chores"):
        ENV.check_curriculum(sizes | {"small_chores": 6})


def test_the_gallery_describes_pots_and_timers_too():
    world = soup_world()
    teacher, gallery = ENV.teacher(world), ENV.gallery
    seen, state = set(), world.initial
    while action := teacher.choose(state):
        seen |= gallery.describe_state(world, state).keys()
        state = world.step(state, action)
    assert seen == {"at", "hand", "stacks", "flags", "containers", "meals", "timers", "added"}
    assert gallery.describe_goal(world) == {"text": "Soup.", "slots": []}


def test_it_loads_without_anything_heavy():
    heavy = ("torch", "transformers", "numpy", "pandas", "matplotlib", "pydantic", "yaml")
    code = (
        "import sys\nfrom taskreason.environments import load_environment\n"
        f"load_environment('robotouille')\nprint([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
