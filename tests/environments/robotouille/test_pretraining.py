"""What the laptop's base model learns: a corpus that holds no task, and a tokenizer with one token a name."""

import os
import random
import re
import subprocess
import sys

import pytest

from kitchens import ENV, make_world
from taskreason.environments.base import REHEARSED
from taskreason.environments.robotouille.pretraining import curriculum
from taskreason.environments.robotouille.pretraining.exercises import draw_reading
from taskreason.environments.robotouille.pretraining.tokenizer import build_tokenizer
from taskreason.environments.robotouille.simulator.observation import describe_goal
from taskreason.training.base_model import encode_curriculum


def draw(seed, chores, small_chores=0, drills=0, starts=0, processes=1):
    """Examples of the corpus."""
    sizes = {"chores": chores, "small_chores": small_chores, "drills": drills, "starts": starts}
    return list(ENV.pretraining.draw_examples(seed, sizes, processes))


def test_the_corpus_holds_none_of_the_four_goals_and_no_high_tower():
    goals = {describe_goal(make_world(task, 0).kitchen) for task in ENV.default_tasks}
    recipes = {re.sub(" any order| last|on a table | cooked", "", goal) for goal in goals}
    seen = read = idle = 0
    for example in draw(0, 650, small_chores=130, drills=20):
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
    assert seen > 1000 and read > 400 and idle > 20


def test_a_reading_exercise_finds_the_stack_that_follows_its_list_furthest():
    rng, heights = random.Random(3), set()
    for _ in range(300):
        prompt, answer = draw_reading(rng)
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
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_name_is_one_token_wherever_it_stands():
    tokenizer = build_tokenizer()
    world = make_world("double_cheese_burger", 2)
    ids = tokenizer(world.observe(world.initial))["input_ids"]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    for name in (*world.kitchen.items, *world.kitchen.stations):
        assert f" {name}" in pieces
    assert not [
        piece for piece in pieces if piece.strip() in ("table", "patty") and piece.startswith("t")
    ]


def test_chores_are_the_same_for_the_same_seed_and_any_number_of_processes(monkeypatch):
    first, second = (draw(3, 5, drills=2) for _ in range(2))
    assert first == second and first != draw(4, 5, drills=2)
    assert len({example["prompt"] for example in first}) > 5
    monkeypatch.setattr(curriculum, "BLOCK", 20)
    shared = draw(3, 60, processes=2)
    assert shared == draw(3, 60)
    tokenizer = build_tokenizer()
    encoded = [encode_curriculum(shared[:100], tokenizer, ENV.pretraining, n) for n in (1, 3)]
    assert encoded[0].to_dict() == encoded[1].to_dict() and len(encoded[0]) == 100


def test_of_a_prompt_what_repeats_the_stations_is_learnt_and_of_answers_no_question():
    tokenizer = build_tokenizer()
    told = "Stations:\n- table1 patty1\nItems:\n- patty1 table1 cooked\n"
    prompt, reply = f"{told}Goal: ask\n", "At patty1 table1.\nOn table1 patty1."
    ids = tokenizer(prompt)["input_ids"]
    labels, ids = [-100] * len(ids), ids + tokenizer(reply)["input_ids"]
    learnt = ENV.pretraining.label(ids, labels + ids[len(labels) :], tokenizer)
    text = tokenizer.decode([label for label in learnt if label >= 0])
    assert text == "- patty1 table1 cooked\n table1.\n patty1."
    assert all(label in (-100, token) for label, token in zip(learnt, ids, strict=True))


def test_lessons_are_chores_and_readings_of_which_each_has_its_share():
    decisions = ENV.rehearsal.draw_decisions(6, 30)
    assert ENV.rehearsal.count_decisions(40) == 30
    lessons = ENV.rehearsal.draw_lessons(6, 40, decisions)
    acting = [lesson for lesson in lessons if "\nAction: " in lesson["completion"]]
    assert len(lessons) == 40 and len(acting) == 30
    assert lessons != sorted(lessons, key=lambda lesson: "\nAction: " in lesson["completion"])
    assert {d.layout_hash for d in decisions} == {REHEARSED}
    for decision in decisions:
        assert decision.action in decision.optimal_actions and decision.optimal_steps_left > 0
        assert f"\n{decision.action}\n" in decision.prompt


def test_hindered_kitchens_begin_with_an_item_in_hand_that_does_not_come_first():
    """It is hardly ever put on a wanted one where that is the only one of its kind; some are wanted later."""
    before = alone = put = later = 0
    for example in draw(3, 0, starts=150):
        prompt = example["prompt"]
        goal = re.search(r"^Goal: (.*)$", prompt, re.MULTILINE)[1]
        place, held = re.search(r"^Robot (\w+) holding (\w+)$", prompt, re.MULTILINE).groups()
        if held == "nothing":
            continue  # the second step
        held_kind = held.rstrip("0123456789")
        assert re.search(r"1 (?:cooked |cut |fried )?(\w+)", goal)[1] != held_kind
        if re.search(rf"\b{held_kind}\b", goal):
            later += 1
            continue
        top = re.search(rf"^- {place} (.*)$", prompt, re.MULTILINE)[1].split()[-1]
        kind = top.rstrip("0123456789")
        if "any order" in goal or not re.search(rf"\b{kind}\b", goal):
            continue  # in any order, an idle item may lie between wanted ones
        before += 1
        if len(set(re.findall(rf"\b{kind}\d+\b", prompt))) == 1:
            alone += 1
            put += f"Stack {held} on top of {top} " in example["completion"]
    assert before > 50 and alone > 10 and put < alone / 10 and later > 10


def test_chores_do_not_depend_on_the_order_of_sets():
    """Python shuffles the hashes of strings anew in every process unless it is told not to."""
    code = (
        "from taskreason.environments import load_environment\n"
        "env = load_environment('robotouille')\n"
        "sizes = {'drills': 0, 'small_chores': 0, 'chores': 40, 'starts': 20}\n"
        "print(*env.pretraining.draw_examples(5, sizes, 1))\n"
        "print(env.rehearsal.draw_lessons(5, 40, env.rehearsal.draw_decisions(5, 30)))"
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


def test_what_is_learnt_of_an_example_is_what_can_be_told_from_the_text_before():
    """Of a decision the reply, and the lists after that of stations; of questions and drills the answers."""
    tokenizer, sorts = build_tokenizer(), set()
    examples = draw(1, 12, drills=2)
    for example, row in zip(
        examples, encode_curriculum(examples, tokenizer, ENV.pretraining, 1), strict=True
    ):
        learnt = "".join(
            tokenizer.decode([token]) if label == token else "~"
            for token, label in zip(row["input_ids"], row["labels"], strict=True)
        )
        lists, _, reply = learnt.rpartition("~")
        prompt, completion = example["prompt"], example["completion"]
        if "Items:\n" not in prompt:
            sorts.add("drill")
            assert learnt.startswith("~" * 5) and "At" not in learnt and "Goal" not in learnt
        elif "Goal: ask" in prompt:
            sorts.add("question")
            assert not re.search(r"\b(At|On|Under|Which)\b", reply)
        else:
            sorts.add("decision" if "Action: " in completion else "reading")
            assert reply in (completion, f"{completion}{tokenizer.eos_token}")
            told = prompt.partition("Items:\n")[2].partition("Goal:")[0]
            assert lists.strip("~") == told
    assert sorts == {"drill", "question", "decision", "reading"}


def test_rehearsed_decisions_ask_for_no_task():
    for chore in ENV.rehearsal.draw_decisions(seed=4, number=150):
        slots = re.findall(r" (\d) ", chore.prompt.rpartition("Goal: ")[2])
        assert max(map(int, slots)) <= 2, "no goal of three"
