"""Probes: every question can be answered from its prompt, and counts tell right from wrong."""

import re

import pytest

from kitchens import ENV, make_world
from taskreason.environments.robotouille.pretraining.probes import (
    LABELS,
    PROBE_SEED,
    SIZES,
    draw_readings,
)

TASKS = ("burger", "cheese_sandwich")
WANTED = {"questions": 60, "readings": 50, "chores": 70}
COUNTED = {
    **dict.fromkeys(("at", "on", "under", "which"), "questions"),
    **dict.fromkeys(("reading", "reading_again"), "readings"),
    **dict.fromkeys(("chore_valid", "chore_optimal", "chore_expert", "chore_thought"), "chores"),
}
"""What each count is of."""


def answer_by_reading(prompt):
    """An answer from the prompt's text, by one who knows nothing of the kitchen behind it."""
    text, _, question = prompt.rpartition("Goal: ask\n")
    sort, subject = question.split()
    stations, _, rest = text.partition("Items:\n")
    stacks = dict(line[2:].split(" ", 1) for line in stations.splitlines()[1:])
    items = [line[2:].split() for line in rest.splitlines() if line.startswith("- ")]
    place = {name: where for name, where, *_ in items}
    if sort == "At":
        answer = place[subject]
    elif sort == "On":
        answer = stacks[subject]
    elif sort == "Under":
        stack = [place[subject], *stacks[place[subject]].split()]
        answer = stack[stack.index(subject) - 1]
    elif subject == "empty":
        answer = next(line for line in text.splitlines() if line.startswith("Empty: "))[7:]
    else:
        answer = " ".join(name for name, *_ in items if name.rstrip("0123456789") == subject)
    return f" {answer}.\nAt"


@pytest.fixture(scope="module")
def probes():
    worlds = {task: [make_world(task, seed) for seed in range(12)] for task in TASKS}
    return list(ENV.draw_probes(WANTED, worlds))


def count(probes, answer):
    """How many replies are right, by the name of each count."""
    counts = {}
    for probe in probes:
        counts |= probe.judge([answer(prompt) for prompt in probe.prompts])
    return counts


def test_every_count_has_a_label_and_every_size_asks_for_something(probes):
    silent = count(probes, lambda prompt: "")
    assert silent == dict.fromkeys(LABELS, 0) and silent.keys() == COUNTED.keys()
    assert SIZES.keys() == WANTED.keys()
    asked = [len(probe.prompts) for probe in probes]
    assert asked == [60] * 4 + [50] * 2 + [70], "one batch a sort of question, of reading, of chore"


def test_every_question_can_be_answered_from_the_text_of_its_prompt(probes):
    counts = count(probes[:4], answer_by_reading)
    assert counts == dict.fromkeys(("at", "on", "under", "which"), 60)


def test_readings_count_when_every_word_is_right(probes):
    known = dict(pair for pairs in draw_readings(50).values() for pair in pairs)
    readings = probes[4:6]
    assert set(count(readings, lambda p: f"{known[p]} And so on").values()) == {50}
    assert set(count(readings, lambda p: known[p].replace("See ", "Look ")).values()) == {0}


def test_chores_count_what_the_expert_says_as_right_and_other_optimal_actions_as_such(probes):
    chores = {c.prompt: c for c in ENV.rehearsal.draw_decisions(PROBE_SEED, 70)}
    assert set(count(probes[6:], lambda p: chores[p].completion).values()) == {70}
    tied = [c for c in chores.values() if len(c.optimal_actions) > 1]
    others = {c.prompt: next(a for a in c.optimal_actions if a != c.action) for c in tied}
    counts = count(probes[6:], lambda p: f"Hm.\nAction: {others.get(p, 'Fly')}")
    assert tied and counts == {
        "chore_valid": len(tied),
        "chore_optimal": len(tied),
        "chore_expert": 0,
        "chore_thought": 0,
    }


def test_the_harder_readings_ask_for_the_lowest_kind_again():
    for prompt, completion in draw_readings(50)["reading_again"]:
        found = re.search(r"See (\w+): .* Next [3-9] (?:\w+ )?(\w+): ", completion)
        listed = re.findall(r" \d (?:cut |cooked )?(\w+)", prompt.rpartition("Goal:")[2])
        assert found[1] == found[2] == listed[0] and found[1] in listed[2:]
