"""The shipped base models are what the configuration says and read; a folder is installed whole or not at all."""

import shutil

import pytest
import torch

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.policies.model_names import expand
from taskreason.policies.transformers import load_model
from taskreason.training.base_model import build_base, install_base
from taskreason.training.sft import encode

SHIPPED = ENV.data / "base_model"


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
    assert tokenizer.get_vocab() == ENV.pretraining.build_tokenizer().get_vocab()
    assert {file.suffix for file in SHIPPED.iterdir()} <= {".json", ".safetensors", ".csv", ".md"}


def test_the_base_model_to_compare_is_smaller_and_of_the_same_kind():
    (name,) = load_config({"scale": "laptop"}).base.compare
    (other, own), (base, tokenizer) = load_model(expand(name, ENV)), load_model(SHIPPED)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (other, base)]
    assert sizes[0] < sizes[1] / 3
    assert other.config.model_type == "qwen2" and own.get_vocab() == tokenizer.get_vocab()


def test_the_shipped_model_reads_the_kitchen():
    """It finds a thing that stands in front of it far more often than chance would."""
    model, tokenizer = load_model(SHIPPED)
    right = asked = 0
    sizes = {"drills": 0, "small_chores": 0, "chores": 60, "starts": 0}
    examples = ENV.pretraining.draw_examples(987, sizes, processes=1)
    for example in (e for e in examples if e["prompt"].endswith("Goal: ask\n")):
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


def test_a_reading_has_no_end_and_a_decision_has_one():
    """A model that learns to stop after a reading would stop there when it should act."""
    tokenizer = ENV.pretraining.build_tokenizer()
    decided = {"prompt": "Goal:\n", "completion": "Thought: Wait.\nAction: Do nothing"}
    read = {"prompt": "Goal: 1 bread ask\n", "completion": "Thought: Robot holding nothing."}
    asked = {"prompt": "Goal: ask\n", "completion": "At patty1 table1."}
    rows = encode([decided, read, asked], tokenizer)
    ends = [row["labels"][-1] == tokenizer.eos_token_id for row in rows]
    assert ends == [True, False, True]
    assert all(row["labels"][-1] == row["input_ids"][-1] for row in rows)
