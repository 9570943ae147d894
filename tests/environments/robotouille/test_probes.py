"""Probes: every question can be answered from its prompt, and counts tell right from wrong."""

import re

import pytest

from kitchens import make_kitchen
from taskreason.durability.files import write_lines
from taskreason.environments.robotouille.pretraining.curriculum import draw_rehearsal
from taskreason.environments.robotouille.pretraining.probes import (
    PROBE_SEED,
    draw_readings,
    probe_chores,
    probe_questions,
    probe_readings,
)

TASKS = ("burger", "cheese_sandwich")
QUESTIONS, READINGS, CHORES = 60, 50, 70


class Reader:
    """Answers by reading the prompt's text, knowing nothing of the kitchen behind it."""

    def complete(self, prompts):
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt):
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


class Mute:
    def complete(self, prompts):
        return [""] * len(prompts)


class Parrot:
    """Knows replies by heart. known: prompt -> reply."""

    def __init__(self, known):
        self.known = known

    def complete(self, prompts):
        return [self.known[prompt] for prompt in prompts]


@pytest.fixture
def kitchens(tmp_path):
    paths = []
    for task in TASKS:
        rows = []
        for seed in range(12):
            layout = make_kitchen(task, seed).layout
            rows.append(
                {"layout": layout.to_json(), "layout_hash": layout.hash, "optimal_steps": 8}
            )
        paths.append(tmp_path / f"{task}.jsonl")
        write_lines(paths[-1], rows)
    return paths


def test_every_question_can_be_answered_from_the_text_of_its_prompt(kitchens):
    counts = probe_questions(Reader(), TASKS, kitchens, QUESTIONS)
    assert counts.keys() == {"at", "on", "under", "which"}
    assert all(count["right"] == count["asked"] == QUESTIONS for count in counts.values()), counts
    silent = probe_questions(Mute(), TASKS, kitchens, QUESTIONS)
    assert all(not count["right"] for count in silent.values())


def test_chores_count_what_the_expert_says_as_right_and_silence_as_wrong():
    known = {chore.prompt: chore.completion for chore in draw_rehearsal(PROBE_SEED, CHORES)}
    perfect = probe_chores(Parrot(known), CHORES)
    assert all(count == {"right": CHORES, "asked": CHORES} for count in perfect.values())
    assert all(not count["right"] for count in probe_chores(Mute(), CHORES).values())


def test_readings_count_when_every_word_is_right():
    exercises = draw_readings(READINGS)
    known = {e["prompt"]: e["completion"] for sort in exercises.values() for e in sort}
    misread = {prompt: answer.replace("See ", "Look ") for prompt, answer in known.items()}
    for replies, right in ((known, READINGS), (misread, 0)):
        counts = probe_readings(Parrot(replies), READINGS)
        assert counts == dict.fromkeys(exercises, {"right": right, "asked": READINGS})


def test_the_harder_readings_ask_for_the_lowest_kind_again():
    for exercise in draw_readings(READINGS)["reading_again"]:
        found = re.search(r"See (\w+): .* Next [3-9] (?:\w+ )?(\w+): ", exercise["completion"])
        listed = re.findall(
            r" \d (?:cut |cooked )?(\w+)", exercise["prompt"].rpartition("Goal:")[2]
        )
        assert found[1] == found[2] == listed[0] and found[1] in listed[2:]
