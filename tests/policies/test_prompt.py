"""What models read: the worked example is true, chat templates are used as they are, history tells what happened."""

import re

import pytest

from chat_models import build_chat_tokenizer
from taskreason.config.models import Prompt
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import load_layouts
from taskreason.environments.robotouille.simulator.observation import observe
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.environments.robotouille.teacher import Expert
from taskreason.policies import Turn
from taskreason.policies.prompt import (
    FOLDER,
    PLAIN,
    check_template,
    describe_turn,
    list_messages,
    tokenize,
)
from taskreason.policies.reply import parse_reply, recount
from taskreason.training.examples import encode

CHAT = Prompt(style="chat", history=True)
EXAMPLE = (FOLDER / "example.txt").read_text()


@pytest.fixture(scope="module")
def tokenizer():
    return build_chat_tokenizer()


@pytest.fixture(scope="module")
def example():
    return Kitchen(load_layouts(str(FOLDER / "example.json"))[0])


def test_the_worked_example_is_a_shortest_plan_in_its_kitchen(example):
    assert observe(example, example.initial) in EXAMPLE
    actions = re.findall(r"^Action: (.*)$", EXAMPLE, re.MULTILINE)
    steps = list(example.replay(actions))
    assert all(accepted for _, accepted in steps)
    assert example.is_goal(steps[-1][0])
    assert len(actions) == Planner(example).distance(example.initial)


def test_the_worked_example_is_none_of_the_four_tasks(example):
    for task in TASKS.values():
        assert set(example.layout.goal) != set(task.template.goal)


def test_every_answer_of_the_example_is_in_the_format_that_is_asked_for():
    answers = re.findall(r"^Thought: .*\nAction: .*$", EXAMPLE, re.MULTILINE)
    assert len(answers) == EXAMPLE.count("Action: ")
    assert all(parse_reply(answer).well_formed for answer in answers)


def test_a_chat_prompt_is_what_the_models_own_template_makes_of_it(tokenizer):
    (ids,) = tokenize(["the kitchen"], tokenizer, CHAT)
    text = tokenizer.decode(ids)
    system, user = list_messages("the kitchen")
    assert text == (
        f"<|im_start|>system\n{system['content']}<|im_end|>\n"
        f"<|im_start|>user\n{user['content']}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert user["content"].endswith("Now it is your turn, in this kitchen:\n\nthe kitchen")


def test_training_reads_the_same_prompt_as_the_rollout_and_learns_the_reply_with_its_end(tokenizer):
    row = {"prompt": "the kitchen", "completion": "Thought: because.\nAction: Do nothing"}
    (example,) = encode([row], tokenizer, CHAT)
    (prompt,) = tokenize(["the kitchen"], tokenizer, CHAT)
    assert example["input_ids"][: len(prompt)] == prompt
    assert example["labels"][: len(prompt)] == [-100] * len(prompt)
    assert tokenizer.decode(example["labels"][len(prompt) :]) == f"{row['completion']}<|im_end|>"


def test_a_model_without_a_template_is_refused_for_chat_alone(tokenizer):
    bare = build_chat_tokenizer()
    bare.chat_template = None
    check_template(bare, PLAIN, "somewhere")
    with pytest.raises(UserError, match="no chat template, which prompt.style: chat needs"):
        check_template(bare, CHAT, "somewhere")


def test_history_tells_the_last_thought_and_action_and_a_refusal(example):
    state = example.initial
    reply = "Let me think.\nThought: bread first.\nAction: Eat bread1\nObservation: yummy"
    turn = Turn(example, state, recount(reply, accepted=False))
    assert describe_turn(turn, CHAT) == (
        "Your last step:\nThought: bread first.\nAction: Eat bread1\n"
        "That was none of the valid actions, so nothing has changed.\n\n" + observe(example, state)
    )
    assert describe_turn(turn, PLAIN) == observe(example, state)
    assert describe_turn(Turn(example, state), CHAT) == observe(example, state)


def test_a_possible_step_is_recounted_as_it_was_said(example):
    plan = Expert(example).plan(example.initial)
    reply = Expert(example).reply_at(plan, 0)
    assert recount(reply, accepted=True) == f"Your last step:\n{reply}\n"
