"""The shipped base model and its corpus: it loads, it is what the config says, and it has seen no recipe."""

import os
import random
import re
import shutil
import subprocess
import sys

import pytest
import torch

from kitchens import make_kitchen
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.pretraining.curriculum import BLOCK, draw_examples
from taskreason.environments.robotouille.pretraining.reading_exercises import draw_reading
from taskreason.environments.robotouille.pretraining.tokenizer import build_tokenizer
from taskreason.environments.robotouille.simulator.observation import describe_goal
from taskreason.environments.robotouille.tasks import DATA, TASKS
from taskreason.policies.prompt import build_prompt
from taskreason.policies.transformers import load_model
from taskreason.training.base_model import build_base, encode_chores, install_base
from taskreason.training.examples import encode

SHIPPED = DATA / "base_model"


def test_the_shipped_model_is_a_small_qwen2_with_its_own_tokenizer():
    model, tokenizer = load_model(SHIPPED)
    assert model.config.model_type == "qwen2"
    assert 1e6 <= sum(p.numel() for p in model.parameters()) <= 5e6
    base = load_config({"scale": "laptop"}).base
    built = (
        model.config.hidden_size,
        model.config.num_hidden_layers,
        model.config.intermediate_size,
    )
    assert built == (base.hidden_size, base.layers, base.intermediate_size)
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert {file.suffix for file in SHIPPED.iterdir()} <= {".json", ".safetensors", ".csv", ".md"}


def test_of_the_base_models_to_compare_one_is_larger_and_one_smaller_and_both_of_the_same_kind():
    folders = load_config({"scale": "laptop"}).base.compare
    models = [load_model(SHIPPED.parents[2] / folder) for folder in folders]
    sizes = [sum(p.numel() for p in model.parameters()) for model, _ in models]
    base, tokenizer = load_model(SHIPPED)
    own_size = sum(p.numel() for p in base.parameters())
    assert sizes[0] > 4 * own_size and sizes[1] < own_size / 3
    for model, own in models:
        assert model.config.model_type == "qwen2" and own.get_vocab() == tokenizer.get_vocab()


def test_the_longer_trained_model_takes_the_place_of_the_shipped_one():
    """It has the same shape and tokenizer, and other weights; its folder is as small as bf16 makes it."""
    longer = SHIPPED.parent / "base_models" / "long"
    (model, tokenizer), (other, own) = load_model(SHIPPED), load_model(longer)
    assert own.get_vocab() == tokenizer.get_vocab()
    shapes = [{name: p.shape for name, p in m.named_parameters()} for m in (model, other)]
    assert shapes[0] == shapes[1]
    assert not torch.equal(model.model.norm.weight, other.model.norm.weight)
    assert (longer / "model.safetensors").stat().st_size < 3e6


def test_the_larger_model_has_the_architecture_of_the_shipped_one_and_its_tokenizer():
    """Four to six times as many parameters, in a file that a repository can carry."""
    larger = SHIPPED.parent / "base_models" / "large"
    (model, tokenizer), (other, own) = load_model(SHIPPED), load_model(larger)
    assert own.get_vocab() == tokenizer.get_vocab() and model.config.tie_word_embeddings
    sizes = [sum(p.numel() for p in m.parameters()) for m in (model, other)]
    assert 4 < sizes[1] / sizes[0] < 6
    for name in ("model_type", "vocab_size", "head_dim", "rope_parameters", "tie_word_embeddings"):
        assert getattr(other.config, name) == getattr(model.config, name), name
    assert (larger / "model.safetensors").stat().st_size < 16e6


@pytest.mark.parametrize("folder", ["base_model", "base_models/large"])
def test_a_shipped_model_reads_the_kitchen(folder):
    """It finds a thing that stands in front of it far more often than chance would."""
    model, tokenizer = load_model(SHIPPED.parent / folder)
    right = asked = 0
    for example in draw_examples(seed=987, kitchens=60, decisions=0):
        ids = tokenizer(example["prompt"] + example["completion"], return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            guesses = model(ids).logits[0].argmax(-1).tolist()
        ids = ids[0].tolist()
        at = tokenizer.convert_tokens_to_ids("At")
        for n, token in enumerate(ids[:-2]):
            if token == at:
                asked += 1
                right += guesses[n + 1] == ids[n + 2]
    assert asked > 40 and right / asked > 0.8


def test_the_corpus_holds_none_of_the_four_goals_and_no_high_tower():
    goals = {describe_goal(make_kitchen(task, 0)) for task in TASKS}
    recipes = {re.sub(" any order| last|on a table | cooked", "", goal) for goal in goals}
    seen = read = idle = 0
    for example in draw_examples(seed=0, kitchens=1500, decisions=1, small=300, drills=20):
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
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_name_is_one_token_wherever_it_stands():
    tokenizer = build_tokenizer()
    kitchen = make_kitchen("double_cheese_burger", 2)
    pieces = tokenizer.convert_ids_to_tokens(
        tokenizer(build_prompt(kitchen, kitchen.initial))["input_ids"]
    )
    for name in (*kitchen.items, *kitchen.stations):
        assert f" {name}" in pieces
    assert not [
        piece for piece in pieces if piece.strip() in ("table", "patty") and piece.startswith("t")
    ]


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"torn"), "can't be loaded"),
        (lambda folder: (folder / "config.json").write_text("{"), "can't be loaded"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    ],
)
def test_a_damaged_model_folder_is_refused_in_one_sentence(tmp_path, harm, complaint):
    folder = tmp_path / "base"
    shutil.copytree(SHIPPED, folder)
    harm(folder)
    with pytest.raises(UserError) as caught:
        install_base(folder, tmp_path / "out")
    message = str(caught.value)
    assert str(folder) in message and complaint in message and "\n" not in message
    assert not (tmp_path / "out").exists()


def test_the_base_model_is_rebuilt_from_scratch_and_resumes(tmp_path):
    cfg = load_config({"scale": "smoke"})
    build_base(cfg, tmp_path / "model", tmp_path / "checkpoints", tmp_path / "base.csv")
    model, _ = load_model(tmp_path / "model")
    assert model.config.hidden_size == cfg.base.hidden_size
    assert not (tmp_path / "checkpoints").exists()
    losses = [
        float(line.split(",")[2]) for line in (tmp_path / "base.csv").read_text().splitlines()[1:]
    ]
    assert losses[-1] < losses[0]


def test_chores_are_the_same_for_the_same_seed():
    first, second = (list(draw_examples(seed=3, kitchens=5, drills=2)) for _ in range(2))
    assert first == second and first != list(draw_examples(seed=4, kitchens=5, drills=2))
    assert len({example["prompt"] for example in first}) > 5
    shared = list(draw_examples(seed=3, kitchens=3 * BLOCK, decisions=1, processes=2))
    assert shared == list(draw_examples(seed=3, kitchens=3 * BLOCK, decisions=1))
    tokenizer = build_tokenizer()
    encoded = [encode_chores(shared[:100], tokenizer, processes) for processes in (1, 3)]
    assert encoded[0].to_dict() == encoded[1].to_dict() and len(encoded[0]) == 100


def test_a_reading_has_no_end_and_a_decision_has_one():
    """A model that learns to stop after a reading would stop there when it should act."""
    tokenizer = build_tokenizer()
    decided = {"prompt": "Goal:\n", "completion": "Thought: Wait.\nAction: Do nothing"}
    asked = {"prompt": "Goal: ask\n", "completion": "At patty1 table1."}
    rows = encode([decided, draw_reading(random.Random(1)), asked], tokenizer)
    ends = [row["labels"][-1] == tokenizer.eos_token_id for row in rows]
    assert ends == [True, False, True]
    assert all(row["labels"][-1] == row["input_ids"][-1] for row in rows)


def test_chores_do_not_depend_on_the_order_of_sets():
    """Python shuffles the hashes of strings anew in every process unless it is told not to."""
    code = (
        "from taskreason.environments.robotouille.pretraining.curriculum import *\n"
        "print(*draw_examples(5, 40), draw_lessons(5, 40))"
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
