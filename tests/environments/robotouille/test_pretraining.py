"""What the base model learns beforehand: none of the tasks, the same from every seed, every name alike."""

import os
import random
import re
import subprocess
import sys

import pytest

from kitchens import ROBOTOUILLE, make_kitchen
from taskreason.environments.base import REHEARSED
from taskreason.environments.robotouille.pretraining import curriculum
from taskreason.environments.robotouille.pretraining.reading_exercises import draw_reading
from taskreason.environments.robotouille.simulator.observation import describe_goal, observe
from taskreason.environments.robotouille.tasks import PUBLISHED

PRETRAINING, REHEARSAL = ROBOTOUILLE.pretraining, ROBOTOUILLE.rehearsal


def draw(seed, processes=1, **sizes):
    """The examples of a curriculum."""
    sizes = dict.fromkeys(PRETRAINING.sizes, 0) | sizes
    return list(PRETRAINING.draw_examples(seed, sizes, processes))


def test_the_corpus_holds_none_of_the_four_goals_and_no_high_tower():
    goals = {describe_goal(make_kitchen(task, 0)) for task in PUBLISHED}
    recipes = {re.sub(" any order| last|on a table | cooked", "", goal) for goal in goals}
    seen = read = idle = 0
    for example in draw(0, chores=600, small_chores=100, drills=20):
        goal = re.search(r"^Goal: (.*)$", example["prompt"], re.MULTILINE)[1]
        if "ask" in goal:  # a list to be read, never to be built: the reply has no action
            listed = re.sub(" any order| last|on a table | ask| cooked", "", goal)
            assert not any(listed.startswith(recipe) for recipe in recipes)
            assert "Action:" not in example["completion"]
            read += goal != "ask"
        else:
            assert goal not in goals and 1 <= len(re.findall(r" (\d) ", goal)) <= 2
            assert " last" not in goal
            idle += " Other " in example["completion"]
            seen += 1
    assert seen > 600 and read > 200 and idle > 10


def test_a_reading_exercise_finds_the_stack_that_follows_its_list_furthest():
    rng, heights = random.Random(3), set()
    for _ in range(300):
        exercise = draw_reading(rng)
        prompt, answer = exercise["prompt"], exercise["completion"]
        listed = prompt.rpartition("Goal: on a table ")[2]
        if "any order" in listed or "last" in listed:
            continue
        slots = re.findall(r"\d ((?:cut |cooked )?\w+)", listed)
        flags = dict(re.findall(r"^- (\w+) \w+ (cut|cooked)\b", prompt, re.MULTILINE))
        furthest = 0
        for stack in re.findall(r"^- table\d+ (.*)$", prompt, re.MULTILINE):
            follows = 0
            for slot, item in zip(slots, stack.split(), strict=False):
                *flag, kind = slot.split()
                if item.rstrip("0123456789") != kind or (flag and flags.get(item) != flag[0]):
                    break
                follows += 1
            furthest = max(furthest, follows)
        tower = re.search(r"Tower (table\d+)((?: \d)+)(?: under (.*?))?\.", answer)
        assert (tower[2].split() if tower else []) == [str(n + 1) for n in range(furthest)]
        if tower and furthest < len(slots):
            stack = re.search(rf"^- {tower[1]} (.*)$", prompt, re.MULTILINE)[1].split()
            assert (tower[3] or "").split() == stack[furthest:]
        if furthest < len(slots):
            assert f"Next {furthest + 1} {slots[furthest]}" in answer
        heights.add(furthest)
    assert heights >= set(range(6))


@pytest.mark.parametrize(
    "text",
    [
        "Boil pot1's contents on stove2 using robot1",
        "héllo\t wörld \n\n",
        "tableau table12 table123",
        "~" * 50,
    ],
)
def test_the_tokenizer_gives_any_text_back(text):
    tokenizer = PRETRAINING.build_tokenizer()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_name_is_one_token_wherever_it_stands():
    tokenizer = PRETRAINING.build_tokenizer()
    kitchen = make_kitchen("double_cheese_burger", 2)
    pieces = tokenizer.convert_ids_to_tokens(
        tokenizer(observe(kitchen, kitchen.initial))["input_ids"]
    )
    for name in (*kitchen.items, *kitchen.stations):
        assert f" {name}" in pieces
    assert not [
        piece for piece in pieces if piece.strip() in ("table", "patty") and piece.startswith("t")
    ]


def test_chores_are_the_same_for_the_same_seed_and_any_number_of_processes(monkeypatch):
    first, second = (draw(3, chores=5, drills=2) for _ in range(2))
    assert first == second and first != draw(4, chores=5, drills=2)
    assert len({example["prompt"] for example in first}) > 5
    monkeypatch.setattr(curriculum, "BLOCK", 20)  # of which each process takes one at a time
    assert draw(3, processes=2, chores=50) == draw(3, chores=50)


def test_of_a_prompt_what_repeats_the_stations_is_learnt_and_of_answers_no_question():
    tokenizer = PRETRAINING.build_tokenizer()
    told = "Stations:\n- table1 patty1\nItems:\n- patty1 table1 cooked\n"
    prompt, reply = f"{told}Goal: ask\n", "At patty1 table1.\nOn table1 patty1."
    ids = tokenizer(prompt)["input_ids"]
    labels, ids = [-100] * len(ids), ids + tokenizer(reply)["input_ids"]
    learnt = PRETRAINING.label(ids, labels + ids[len(labels) :], tokenizer)
    text = tokenizer.decode([label for label in learnt if label >= 0])
    assert text == "- patty1 table1 cooked\n table1.\n patty1."
    assert all(label in (-100, token) for label, token in zip(learnt, ids, strict=True))


def test_lessons_are_chores_and_readings_of_which_each_has_its_share():
    lessons = REHEARSAL.draw_lessons(6, 40)
    acting = [lesson for lesson in lessons if "\nAction: " in lesson["completion"]]
    assert len(lessons) == 40 and len(acting) == 30
    assert lessons != sorted(lessons, key=lambda lesson: "\nAction: " in lesson["completion"])
    decisions = REHEARSAL.draw_decisions(6, 30)
    assert {d.layout_hash for d in decisions} == {REHEARSED}
    for decision in decisions:
        assert decision.action in decision.optimal_actions and decision.optimal_steps_left > 0
        assert f"\n{decision.action}\n" in decision.prompt


def test_chores_do_not_depend_on_the_order_of_sets():
    """Python shuffles the hashes of strings anew in every process unless it is told not to."""
    code = (
        "from taskreason.environments import load_environment\n"
        "kitchens = load_environment('robotouille')\n"
        "sizes = {'drills': 2, 'small_chores': 5, 'chores': 40}\n"
        "print(*kitchens.pretraining.draw_examples(5, sizes, 1), kitchens.rehearsal.draw_lessons(5, 40))"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2", "3")
    }
    assert len(drawn) == 1
