"""The observation text: lossless, with the valid actions and the goal at its end."""

import pytest

from kitchens import make_kitchen, soup_kitchen, walk
from observation_reader import recover
from taskreason.environments.robotouille.simulator.observation import observe
from taskreason.environments.robotouille.tasks import PUBLISHED


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
@pytest.mark.parametrize("task", PUBLISHED)
def test_the_state_can_be_recovered_from_the_text(task, mode):
    for seed in range(12):
        kitchen = make_kitchen(task, seed, mode)
        for state in walk(kitchen, seed, 60):
            assert recover(kitchen, observe(kitchen, state)) == state


def test_timers_containers_and_meals_are_recovered_too():
    kitchen, seen = soup_kitchen(), set()
    for seed in range(40):
        for state in walk(kitchen, seed, 80):
            assert recover(kitchen, observe(kitchen, state)) == state
            seen |= (
                {effect[0] for effect in state.effects}
                | {("added", bool(state.added))}
                | {("meals", state.meals)}
            )
    assert {0, 1, 3, 4} <= seen, "the walks met cooking, cutting, filling and boiling"
    assert ("added", True) in seen and ("meals", (1,)) in seen


def test_the_text_ends_with_the_valid_actions_and_the_goal():
    kitchen = make_kitchen("burger", 3)
    text = observe(kitchen, kitchen.initial)
    listed = text.partition("Valid actions:\n")[2].splitlines()
    assert listed[:-1] == [action.text for action in kitchen.valid_actions(kitchen.initial)]
    assert listed[-1] == "Goal: on a table 1 bottombun 2 cooked patty 3 topbun"


def test_goals_read_as_the_layouts_say():
    goals = {
        task: observe(k := make_kitchen(task, 0), k.initial).splitlines()[-1] for task in PUBLISHED
    }
    assert goals["cheese_sandwich"].endswith("on a table 1 bread 2 cheese 3 bread")
    assert goals["cheese_burger"].endswith(
        "on a table 1 bottombun any order 2 cheese 3 cooked patty last 4 topbun"
    )
    assert goals["double_cheese_burger"].endswith(
        "on a table 1 bottombun 2 cooked patty 3 cheese 4 cooked patty 5 cheese 6 topbun"
    )
    assert "in(water #1, bowl #2)" in observe(s := soup_kitchen(), s.initial).splitlines()[-1]
