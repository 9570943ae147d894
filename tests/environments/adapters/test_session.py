"""An episode by steps: the same transitions, optimal actions and distances as the environment's own."""

import pytest

from taskreason.environments.adapters.session import Session


@pytest.mark.parametrize("environment, task", [("robotouille", "burger"), ("hanoi", "discs_3")])
def test_optimal_actions_lead_to_the_goal_in_as_many_steps_as_was_said(environment, task):
    session = Session(task, 3, environment)
    told = session.tell()
    seen, distance = {told["state_hash"]}, told["distance"]
    for left in range(distance, 0, -1):
        told = session.tell()
        assert told["distance"] == left and not session.over
        assert set(told["optimal_actions"]) <= set(told["valid_actions"])
        assert session.take(f"Thought: I see.\nAction: {told['optimal_actions'][-1]}")
        seen.add(session.tell()["state_hash"])
    assert session.solved and session.over and session.steps == distance
    assert len(seen) == distance + 1  # a shortest plan comes to no state twice
    assert session.tell()["optimal_actions"] == () and session.tell()["distance"] == 0


def test_what_is_not_possible_costs_a_step_and_changes_nothing():
    session = Session("burger", 3)
    before = session.tell()
    assert not session.take("fly") and not session.take("") and not session.take("Action: fly")
    after = session.tell()
    assert after["steps"] == 3 and after["state_hash"] == before["state_hash"]
    assert after["distance"] == before["distance"]
    while not session.over:
        session.take("fly")
    assert session.steps == 15 and not session.solved  # the published timeout


def test_equal_seeds_are_equal_worlds_and_others_are_not():
    first, again, other = Session("burger", 3), Session("burger", 3), Session("burger", 4)
    assert first.tell() == again.tell()
    assert first.tell()["state_hash"] != other.tell()["state_hash"]
