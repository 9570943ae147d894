"""The drawing of an episode: which of its moves are drawn, and that it is the same whenever it is drawn."""

import io

import pytest

from kitchens import ENV, TOAST, make_plan, make_world, soup_world
from taskreason.environments.robotouille.drawing import Move, find_moves


def test_only_moves_that_start_at_the_robot_are_drawn():
    world = ENV.load({"layout": TOAST}, "toast")
    actions = [
        "Move robot1 from table1 to table3",
        "Move robot1 from table2 to table3",
        "Move robot1 from table3 to table9",
        "(no action)",
        "Do nothing",
        "Move robot1 from table3 to table2",
    ]
    assert world.kitchen.stations == ("table1", "table2", "table3")
    assert find_moves(world, actions) == [Move(2, 1, 2), Move(6, 2, 1)]


@pytest.mark.parametrize("world", [make_world("cheese_burger", 3), soup_world()])
def test_everything_is_named_and_equal_episodes_give_equal_pictures(world):
    actions = [action for _, action in make_plan(world)]
    pictures = []
    for _ in range(2):
        figure, file = ENV.draw_figure(world, actions), io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        pictures.append(file.getvalue())
    assert pictures[0] == pictures[1] and len(pictures[0]) > 5000
    kitchen, panel = ([text.get_text() for text in axes.texts] for axes in figure.axes)
    moves = [str(move.step) for move in find_moves(world, actions)]
    things = (*world.kitchen.stations, *world.kitchen.items, *world.kitchen.containers, "robot1")
    assert sorted(kitchen) == sorted([*things, *moves])
    assert [line.split()[0] for line in panel] == [str(n + 1) for n in range(len(actions))]
