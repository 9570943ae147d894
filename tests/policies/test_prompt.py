"""What models read: the worked example is true, chat templates are used as they are, history tells what happened."""

import re

import pytest

from chat_models import CHAT, build_chat_tokenizer
from kitchens import ENV, make_plan, make_world
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.reply import parse_reply, recount
from taskreason.policies import Turn
from taskreason.policies.prompt import PLAIN, choose_format
from taskreason.training.sft import encode


@pytest.fixture(scope="module")
def tokenizer():
    return build_chat_tokenizer()


@pytest.fixture(scope="module")
def example():
    """The world of the worked example."""
    ((world, _),) = ENV.read_worlds(ENV.data / "prompt" / "example.json")
    return world


def test_the_worked_example_is_a_shortest_plan_in_its_world(example):
    state = example.initial
    assert example.observe(state) in ENV.example
    actions = re.findall(r"^Action: (.*)$", ENV.example, re.MULTILINE)
    for action in actions:
        state = example.step(state, action)
        assert state is not None
    assert example.solved(state)
    assert len(actions) == ENV.teacher(example).distance(example.initial)


def test_the_worked_example_is_none_of_the_tasks_that_are_reproduced(example):
    """The goal is the last line of what a model reads."""
    goals = {read_goal(make_world(task, 0)) for task in ENV.default_tasks}
    assert len(goals) == len(ENV.default_tasks) == 4 and read_goal(example) not in goals


def read_goal(world):
    return world.observe(world.initial).rpartition("\nGoal: ")[2]


def test_every_answer_of_the_example_is_in_the_format_that_is_asked_for():
    answers = re.findall(r"^Thought: .*\nAction: .*$", ENV.example, re.MULTILINE)
    assert len(answers) == ENV.example.count("Action: ")
    assert all(parse_reply(answer).well_formed for answer in answers)


def test_a_chat_prompt_is_what_the_models_own_template_makes_of_it(tokenizer):
    (ids,) = CHAT.tokenize(["the kitchen"], tokenizer)
    text = tokenizer.decode(ids)
    system, user = CHAT.list_messages("the kitchen")
    assert text == (
        f"<|im_start|>system\n{system['content']}<|im_end|>\n"
        f"<|im_start|>user\n{user['content']}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert system["content"] == (ENV.data / "prompt" / "rules.txt").read_text()
    assert user["content"].startswith((ENV.data / "prompt" / "example.txt").read_text())
    assert user["content"].endswith("Now it is your turn, in this kitchen:\n\nthe kitchen")


def test_training_reads_the_same_prompt_as_the_rollout_and_learns_the_reply_with_its_end(tokenizer):
    row = {"prompt": "the kitchen", "completion": "Thought: because.\nAction: Do nothing"}
    (example,) = encode([row], tokenizer, CHAT)
    (prompt,) = CHAT.tokenize(["the kitchen"], tokenizer)
    assert example["input_ids"][: len(prompt)] == prompt
    assert example["labels"][: len(prompt)] == [-100] * len(prompt)
    assert tokenizer.decode(example["labels"][len(prompt) :]) == f"{row['completion']}<|im_end|>"


def test_a_model_without_a_template_is_refused_for_chat_alone(tokenizer):
    bare = build_chat_tokenizer()
    bare.chat_template = None
    PLAIN.check_template(bare, "somewhere")
    with pytest.raises(UserError, match="no chat template, which prompt.style: chat needs"):
        CHAT.check_template(bare, "somewhere")


def test_history_tells_the_last_thought_and_action_and_a_refusal(example):
    state = example.initial
    reply = "Let me think.\nThought: bread first.\nAction: Eat bread1\nObservation: yummy"
    turn = Turn(example, state, recount(reply, accepted=False))
    assert CHAT.describe(turn) == (
        "Your last step:\nThought: bread first.\nAction: Eat bread1\n"
        "That was none of the valid actions, so nothing has changed.\n\n" + example.observe(state)
    )
    assert PLAIN.describe(turn) == example.observe(state)
    assert CHAT.describe(Turn(example, state)) == example.observe(state)


def test_a_possible_step_is_recounted_as_it_was_said(example):
    state, _ = make_plan(example)[0]
    reply = ENV.teacher(example).reply(state)
    assert recount(reply, accepted=True) == f"Your last step:\n{reply}\n"


def test_models_that_no_task_trained_can_be_asked_in_full_alone():
    cfg = load_config({"prompt": {"untrained": "react"}})
    trained, untrained = choose_format(cfg), choose_format(cfg, trained=False)
    assert trained == PLAIN
    assert (untrained.style, untrained.history) == ("chat", True)
    assert untrained.rules == ENV.rules and untrained.example == ENV.example
    same = load_config({})
    assert choose_format(same) == choose_format(same, trained=False) == PLAIN
