"""The drawing of a kitchen: how objects are named, and which moves are drawn."""

from taskreason.environments.robotouille.drawing import Move, find_moves, name_objects


def test_objects_are_named_by_kind_after_a_stable_sort():
    objects = [
        {"name": "table", "x": 2, "y": 1},
        {"name": "stove", "x": 0, "y": 4},
        {"name": "table", "x": 0, "y": 3},
        {"name": "table", "x": 2, "y": 0},
    ]
    names = [name for name, _ in name_objects(objects)]
    assert names == ["table1", "stove1", "table2", "table3"]


def test_only_moves_that_start_at_the_robot_are_drawn():
    layout = {
        "stations": [{"name": "table", "x": x, "y": 0} for x in range(3)],
        "players": [{"name": "robot", "x": 0, "y": 1, "direction": [0, -1]}],
    }
    actions = [
        "Move robot1 from table2 to table3",
        "Move robot1 from table1 to table3",
        "Move robot1 from table3 to table9",
        "Do nothing",
        "Move robot1 from table3 to table1",
    ]
    assert find_moves(layout, actions) == [Move(2, "table1", "table3"), Move(5, "table3", "table1")]
