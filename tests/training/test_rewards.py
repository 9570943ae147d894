"""What replies earn, by the published weights and by decisions made by hand; and how GRPO takes it to TRL."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskreason.environments.base import REHEARSED, Decision
from taskreason.training.grpo import list_rewards
from taskreason.training.rewards import REWARDS, reward

DECISION = Decision(
    layout_hash="0123456789abcdef",
    t=0,
    prompt="Valid actions:\nOpen\nSing\nWait\nGoal: be heard\n",
    completion="Thought: x\nAction: Sing",
    action="Sing",
    optimal_actions=("Sing", "Open"),
    optimal_steps_left=3,
)
CHORE = replace(DECISION, layout_hash=REHEARSED)
EXPERT, OTHER, WRONG = (f"Thought: x\nAction: {action}" for action in ("Sing", "Open", "Wait"))
BARE = "Action: Sing"


def earn(name, reply, decision=DECISION):
    return REWARDS[name].function(reply, decision)


@pytest.mark.parametrize(
    ("reply", "expert", "optimal", "binary"),
    [
        (EXPERT, (0.1, 0.9), (0.1, 0.9), (1.0,)),
        (OTHER, (0.1, 0.0), (0.1, 0.9), (0.0,)),
        (WRONG, (0.1, 0.0), (0.1, 0.0), (0.0,)),
        (BARE, (0.0, 0.9), (0.0, 0.9), (1.0,)),
        ("nonsense", (0.0, 0.0), (0.0, 0.0), (0.0,)),
    ],
)
def test_the_format_earns_a_tenth_and_an_accepted_action_the_rest(reply, expert, optimal, binary):
    """The paper's weights. Which actions are accepted, and whether the format counts, is the rewards' difference."""
    assert earn("expert", reply) == expert
    assert earn("optimal", reply) == optimal
    assert earn("binary", reply) == binary


def test_any_optimal_action_is_right_where_no_task_is_taught():
    for name, full in (("expert", 1.0), ("optimal", 1.0), ("binary", 1.0)):
        assert sum(earn(name, OTHER, CHORE)) == sum(earn(name, EXPERT, CHORE)) == full
        assert sum(earn(name, WRONG, CHORE)) < full


@given(st.text(), st.sampled_from(["expert", "optimal"]))
def test_any_text_earns_between_nothing_and_the_full_reward(text, name):
    assert sum(earn(name, text)) in (0.0, 0.1, 0.9, 1.0)
    assert sum(earn("binary", text)) in (0.0, 1.0)


def as_chat(texts):
    return [[{"role": "assistant", "content": text}] for text in texts]


@pytest.mark.parametrize("write", [list, as_chat])
def test_trl_is_given_one_function_a_part_and_logs_it_by_its_name(write):
    """As columns of a data set, in which a tuple is a list."""
    replies, decisions = [EXPERT, OTHER, BARE, OTHER], [DECISION, DECISION, DECISION, CHORE]
    rows = [asdict(d) | {"optimal_actions": list(d.optimal_actions)} for d in decisions]

    def pay(name):
        functions = list_rewards(name)
        return {f.__name__: f(completions=write(replies), decision=rows) for f in functions}

    assert pay("expert") == {
        "format_reward": [0.1, 0.1, 0.0, 0.1],
        "action_reward": [0.9, 0.0, 0.9, 0.9],
    }
    assert pay("optimal") == {
        "format_reward": [0.1, 0.1, 0.0, 0.1],
        "action_reward": [0.9, 0.9, 0.9, 0.9],
    }
    assert pay("binary") == {"binary_reward": [1.0, 0.0, 1.0, 1.0]}


def test_a_new_reward_is_one_function():
    @reward("short", "thrifty")
    def brief(reply, decision):
        return float(len(reply) < 20), 1 / decision.optimal_steps_left

    try:
        assert REWARDS["brief"].parts == ("short", "thrifty")
        short, thrifty = list_rewards("brief")
        given = {"completions": [EXPERT, BARE], "decision": [asdict(DECISION)] * 2}
        assert (short.__name__, short(**given)) == ("short_reward", [0.0, 1.0])
        assert thrifty(**given) == [1 / 3, 1 / 3]
    finally:
        del REWARDS["brief"]
    assert list(REWARDS) == ["expert", "optimal", "binary"]
