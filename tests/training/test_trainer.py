"""The trainer that reads each prompt once a group, held against stock TRL: replies, loss, gradients, methods."""

import copy
import inspect
from importlib.metadata import version

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from taskreason.config.load import load_config
from taskreason.policies.memory import SURPLUS
from taskreason.policies.transformers import load_model
from taskreason.rollouts.dataset import load_decisions
from taskreason.training.base_model import build_base
from taskreason.training.grpo import list_rewards
from taskreason.training.trainer import TRL_RELEASE, SharedPromptTrainer, find_spread
from training_files import make_data

CFG = load_config({"scale": "smoke"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Decisions and an untrained model of a few thousand parameters."""
    folder = tmp_path_factory.mktemp("trainer")
    make_data(folder, "cheese_sandwich", CFG)
    build_base(CFG, folder / "base", folder / "c", folder / "base.csv")
    return folder


@pytest.fixture
def prepared(made, tmp_path):
    """A function of a kind of trainer, a model, prompts, and what differs between tests."""
    tokenizer = load_model(made / "base")[1]

    def prepare(kind, model, prompts, options=None, **arguments):
        common = {"bf16": False, "gradient_checkpointing": False, "report_to": "none"}
        common |= {"num_generations": 4, "max_completion_length": 9, "loss_type": "grpo"}
        trainer = kind(
            model=model,
            reward_funcs=list_rewards("binary"),
            args=GRPOConfig(output_dir=str(tmp_path), use_cpu=True, **common, **arguments),
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
            processing_class=tokenizer,
            **(options or {}),
        )
        trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
        return trainer

    return prepare


def load_prompts(made, number):
    return [decision.prompt for decision in load_decisions(made / "decisions.jsonl")[:number]]


def assert_same_gradients(found, wanted):
    """Within 3e-6 of their norm, which is not small."""
    wanted = {name: weight.grad for name, weight in wanted.named_parameters()}
    norm = torch.stack([grad.norm() for grad in wanted.values()]).norm()
    assert norm > 0.1
    for name, weight in found.named_parameters():
        assert (weight.grad - wanted[name]).abs().max() < 3e-6 * norm, name


OVERRIDDEN = {
    "_prepare_inputs": "generation_batch",
    "_compute_loss": "model inputs",
    "_generate_and_score_completions": "inputs",
    "_generate_single_turn": (
        "prompt_ids images multimodal_fields num_generations has_tool_images=False"
    ),
}
"""TRL's private methods that the trainer overrides, with their parameters in the release that it was written for."""


def list_parameters(method):
    """Name, default and kind of each, without self."""
    return [p.replace(annotation=p.empty) for p in inspect.signature(method).parameters.values()][
        1:
    ]


def test_the_overridden_methods_are_still_those_of_the_installed_trl():
    assert version("trl").startswith(f"{TRL_RELEASE}."), (
        f"read SharedPromptTrainer against the new release before TRL_RELEASE is {version('trl')}"
    )
    ours = {name for name in vars(SharedPromptTrainer) if name in vars(GRPOTrainer)}
    assert ours - {"__doc__", "__module__", "__init__"} == OVERRIDDEN.keys()
    for name, written_for in OVERRIDDEN.items():
        theirs = list_parameters(getattr(GRPOTrainer, name))
        assert " ".join(map(str, theirs)) == written_for, f"TRL has changed {name}"
        # What we name is named alike, in the same order and with the same defaults; we pass the rest on.
        *named, last = list_parameters(getattr(SharedPromptTrainer, name))
        if last.kind is not inspect.Parameter.VAR_KEYWORD:
            assert [*named, last] == theirs, name
        assert named == theirs[: len(named)], name


def test_group_sampling_writes_what_plain_generation_writes(made, prepared, monkeypatch):
    """Greedily and without rounding, reading a prompt once per group changes no reply."""
    monkeypatch.setattr("taskreason.training.trainer.choose_dtype", lambda: torch.float32)
    model, tokenizer = load_model(made / "base")
    prompts = load_prompts(made, 3)
    trainer = prepared(SharedPromptTrainer, model, prompts, per_device_train_batch_size=4)
    trainer.generation_config.do_sample = False
    given = []
    monkeypatch.setattr(SURPLUS, "give_all_back", lambda: given.append(model.training))
    ids = tokenizer(prompts)["input_ids"]
    replies, _ = trainer._generate_single_turn([row for row in ids for _ in range(4)], None, {}, 4)
    assert len({len(row) for row in ids}) > 1, (
        "prompts of different lengths, so that padding matters"
    )
    for n, row in enumerate(ids):
        inputs = {
            "input_ids": torch.tensor([row]),
            "attention_mask": torch.ones(1, len(row), dtype=torch.long),
        }
        alone = (
            model.eval()
            .generate(**inputs, max_new_tokens=9, do_sample=False)[0, len(row) :]
            .tolist()
        )
        assert replies[4 * n : 4 * n + 4] == [alone] * 4
    assert len(given) == 2, "memory of other sizes is needed before and after"


@pytest.mark.parametrize("order, temperature", [("grouped", 1.0), ("grouped", 0.7), ("mixed", 1.0)])
def test_shared_prompts_give_the_loss_and_gradients_of_stock_trl(
    made, prepared, order, temperature
):
    """Same completions, lengths and paddings mixed: loss within 1e-6."""
    model, tokenizer = load_model(made / "base")
    prompts = load_prompts(made, 3)
    generator = torch.Generator().manual_seed(0)
    padded = tokenizer(prompts, return_tensors="pt", padding=True)
    assert padded["attention_mask"].min() == 0, "prompts of different lengths, so padding matters"
    owner = torch.arange(3).repeat_interleave(4)
    if order == "mixed":
        owner = owner[torch.randperm(12, generator=generator)]
    lengths = torch.randint(2, 10, (12,), generator=generator)
    inputs = {
        "prompt_ids": padded["input_ids"][owner],
        "prompt_mask": padded["attention_mask"][owner],
        "completion_ids": torch.randint(2, len(tokenizer), (12, 9), generator=generator),
        "completion_mask": (torch.arange(9) < lengths[:, None]).long(),
        "advantages": torch.randn(12, generator=generator),
        "ref_per_token_logps": -6 + torch.rand(12, 9, generator=generator),
        "num_items_in_batch": lengths.sum(),
    }
    arguments = {"per_device_train_batch_size": 12, "temperature": temperature, "beta": 0.05}
    losses, twins = [], []
    for kind in (GRPOTrainer, SharedPromptTrainer):
        twins.append(copy.deepcopy(model).train())
        trainer = prepared(kind, twins[-1], prompts, **arguments)
        losses.append(trainer.compute_loss(twins[-1], inputs))
        losses[-1].backward()
    assert torch.allclose(*losses, atol=1e-6)
    assert_same_gradients(*reversed(twins))


@pytest.mark.parametrize("size", [2, 3, 8])
def test_groups_have_spread_where_one_reply_earns_otherwise(size):
    """However small the difference, if it is more than rounding; without any, all rows stay."""
    rewards = torch.ones(4, size)
    rewards[1, 0], rewards[3, 1] = 0.9, 0.0
    rewards[2] = 0.1
    mean, spread = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    advantages = ((rewards - mean) / (spread + 1e-4)).flatten()
    kept = find_spread(advantages, size).view(4, size)
    assert kept.all(1).tolist() == [False, True, False, True] and kept.any(1).sum() == 2
    assert find_spread(advantages[:size], size).all()


def test_filtered_groups_leave_the_others_the_gradients_of_stock_trl(made, prepared, monkeypatch):
    """Of four groups one has no spread: TRL's gradients of the other three, by the number of all rows."""
    model, tokenizer = load_model(made / "base")
    prompts = load_prompts(made, 4)
    generator = torch.Generator().manual_seed(0)
    padded = tokenizer(prompts, return_tensors="pt", padding=True)
    owner = torch.arange(4).repeat_interleave(4)
    lengths = torch.randint(2, 10, (16,), generator=generator)
    advantages = torch.randn(4, 4, generator=generator).add(1)
    advantages[1] = 0
    batch = {
        "prompt_ids": padded["input_ids"][owner],
        "prompt_mask": padded["attention_mask"][owner],
        "completion_ids": torch.randint(2, len(tokenizer), (16, 9), generator=generator),
        "completion_mask": (torch.arange(9) < lengths[:, None]).long(),
        "advantages": advantages.flatten(),
        "num_items_in_batch": lengths.sum(),
    }
    reference = -6 + torch.rand(16, 9, generator=generator)
    kept = batch["advantages"] != 0

    stock = copy.deepcopy(model).train()
    theirs = prepared(GRPOTrainer, stock, prompts, per_device_train_batch_size=12, beta=0.05)
    rows = {name: v[kept] if v.dim() else v for name, v in batch.items()}
    loss = theirs.compute_loss(stock, rows | {"ref_per_token_logps": reference[kept]})
    (loss * 12 / 16).backward()

    twin = copy.deepcopy(model).train()
    arguments = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "beta": 0.05}
    ours = prepared(SharedPromptTrainer, twin, prompts, {"filter_groups": True}, **arguments)
    asked = []

    def read_reference(rows):
        asked.append(len(rows["advantages"]))
        return reference[kept]

    monkeypatch.setattr(ours, "_generate_and_score_completions", lambda inputs: batch)
    monkeypatch.setattr(ours, "_score_by_reference", read_reference)
    sizes = []
    for step in range(2):
        ours._step = step
        inputs = ours._prepare_inputs([])
        sizes.append(len(inputs["advantages"]))
        ours.compute_loss(twin, inputs).backward()
    assert sizes == [8, 4] and asked == [12]
    assert_same_gradients(twin, stock)
