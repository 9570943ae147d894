"""SFT and GRPO on a model of a few thousand parameters: what they read, write, log, and resume."""

import copy
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import Qwen2Config
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.pretraining.curriculum import draw_rehearsal
from taskreason.environments.robotouille.tasks import DATA
from taskreason.policies import transformers as transformers_policy
from taskreason.policies.reply import score_reply
from taskreason.policies.transformers import load_model
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, make_kitchens
from taskreason.train import common, shared_prompt
from taskreason.training.base_model import build_base
from taskreason.training.curve import CurveLog
from taskreason.training.examples import repeat_decisions
from taskreason.training.grpo import (
    action_reward,
    binary_reward,
    choose_sampler,
    draw_prompts,
    format_reward,
    train_grpo,
)
from taskreason.training.setup import TrainingFiles
from taskreason.training.sft import mix_chores, train_sft

TASK = "cheese_sandwich"
CFG = load_config({"scale": "smoke", "rollout": {"max_new_tokens": 12}})
SHIPPED = DATA / "base_model"
FILES = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    make_kitchens(TASK, "train", CFG, folder / "train.jsonl")
    collect(TASK, CFG, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    make_kitchens(TASK, "validation", CFG, folder / "validation.jsonl", [folder / "train.jsonl"])
    build_base(CFG, folder / "base", folder / "c", folder / "base.csv")
    return folder


def name_files(stage, made, out, start=None):
    return TrainingFiles(
        trajectories=made / "decisions.jsonl",
        start=start or made / "base",
        model=out / stage,
        checkpoints=out / "c",
        curve=out / "log.csv",
        provenance=out / "provenance.json",
    )


def run(stage, made, out, cfg=CFG, start=None):
    train = {"sft": train_sft, "grpo": train_grpo}[stage]
    watched = [made / "validation.jsonl", out / "validation.csv"] if stage == "grpo" else []
    train(TASK, cfg, name_files(stage, made, out, start), *watched)
    return pd.read_csv(out / "log.csv")


def test_an_engine_beside_the_trainer_needs_heads_of_the_usual_width(tmp_path):
    """vLLM's own Qwen2 takes a head for hidden_size / heads wide, and would sample from another model."""
    for name, width in (("usual", 16), ("wide", 32)):
        config = Qwen2Config(
            hidden_size=64, num_attention_heads=4, head_dim=width, max_position_embeddings=512
        )
        config.save_pretrained(tmp_path / name)
    beside = replace(CFG, grpo=replace(CFG.grpo, vllm="colocate"))
    options = choose_sampler(beside, tmp_path / "usual")
    assert (options["vllm_mode"], options["vllm_max_model_length"]) == ("colocate", 512)
    with pytest.raises(UserError, match="grpo.vllm: colocate can't sample from .*wide"):
        choose_sampler(beside, tmp_path / "wide")
    assert choose_sampler(CFG, tmp_path / "wide") == {}


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_a_killed_training_resumes_from_its_checkpoint(made, tmp_path, monkeypatch, stage, capsys):
    """And ends with the same weights: the same data in the same order, the same draws."""
    # Only a model that knows the format gets different rewards for different replies.
    cfg = replace(
        CFG, grpo=replace(CFG.grpo, steps=4), rollout=replace(CFG.rollout, max_new_tokens=64)
    )
    start = SHIPPED if stage == "grpo" else None
    whole = run(stage, made, tmp_path / "whole", cfg, start)
    last = int(whole["step"].iloc[-1])
    original = CurveLog.on_log

    def kill_near_the_end(self, args, state, control, **kwargs):
        original(self, args, state, control, **kwargs)
        if state.global_step == last:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(CurveLog, "on_log", kill_near_the_end)
        with pytest.raises(Killed):
            run(stage, made, tmp_path / "killed", cfg, start)
    assert not (tmp_path / "killed" / stage).exists(), "no half-made model"
    capsys.readouterr()
    resumed = run(stage, made, tmp_path / "killed", cfg, start)
    assert "resuming from" in capsys.readouterr().out
    assert resumed["step"].tolist() == whole["step"].tolist()
    assert {file.name for file in (tmp_path / "killed" / stage).iterdir()} == FILES
    assert not (tmp_path / "killed" / "c").exists()
    for name in set(whole) - {"seconds"}:
        assert resumed[name].equals(whole[name]), name
    assert stage == "sft" or (whole["reward_std"] > 0).any()
    weights = [
        (tmp_path / name / stage / "model.safetensors").read_bytes() for name in ("whole", "killed")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("fast_bf16", [True, False])
def test_grpo_logs_what_the_report_draws(made, tmp_path, monkeypatch, fast_bf16):
    """On processors that multiply bf16, sampling has a copy of the policy; on others it is the policy itself."""
    for module in (common, shared_prompt, transformers_policy):
        monkeypatch.setattr(module, "has_fast_bf16", lambda: fast_bf16)
    curve = run("grpo", made, tmp_path)
    assert len(curve) == CFG.grpo.steps
    assert curve["reward"].between(0, 1).all() and (curve["kl"] >= 0).all()
    parts = curve["reward_format"] + curve["reward_action"]
    assert (parts - curve["reward"]).abs().max() < 1e-6
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["config"]["grpo"]["beta"] == CFG.grpo.beta and provenance["wall_seconds"] > 0


def test_grpo_is_watched_from_before_its_first_step_to_after_its_last(made, tmp_path):
    run("grpo", made, tmp_path)
    seen = pd.read_csv(tmp_path / "validation.csv")
    assert seen["step"].tolist() == [0, 1, 2] and CFG.grpo.eval_steps == 1
    assert ((seen.drop(columns="step") >= 0) & (seen.drop(columns="step") <= 1)).all(axis=None)


def test_watching_leaves_the_training_as_it_is(made, tmp_path):
    """Greedy looks draw no random number, so rewards and weights are those of a training without them."""
    run("grpo", made, tmp_path / "watched")
    run("grpo", made, tmp_path, replace(CFG, grpo=replace(CFG.grpo, eval_steps=0)))
    assert pd.read_csv(tmp_path / "validation.csv").empty
    one, other = (
        pd.read_csv(path) for path in (tmp_path / "watched/log.csv", tmp_path / "log.csv")
    )
    assert one["reward"].tolist() == other["reward"].tolist()
    weights = [load_model(path)[0] for path in (tmp_path / "watched" / "grpo", tmp_path / "grpo")]
    for first, second in zip(*(model.parameters() for model in weights), strict=True):
        assert torch.equal(first, second)


def test_a_copy_of_a_patched_model_runs_on_its_own_weights(made):
    model, tokenizer = load_model(made / "base")
    add_fused_lm_head(model)
    twin = shared_prompt.copy_model(model)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    ids = torch.tensor([tokenizer("Robot table1")["input_ids"]])
    assert twin(input_ids=ids).logits.abs().max() == 0 < model(input_ids=ids).logits.abs().max()


def test_training_refuses_a_foreign_trajectory_file_before_it_loads_a_model(made, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"prompt": "hello"}\n')
    with pytest.raises(UserError, match="bad.jsonl:1"):
        bad = replace(
            name_files("sft", made, tmp_path),
            trajectories=tmp_path / "bad.jsonl",
            start=tmp_path / "none",
        )
        train_sft(TASK, CFG, bad)


def test_rewards_follow_the_paper():
    good, wrong = "Thought: x\nAction: Do nothing", "Thought: x\nAction: Sing"
    assert format_reward([good, wrong, "Sing"]) == [0.1, 0.1, 0.0]
    accepted = [["Do nothing"], ["Do nothing"], ["Sing"]]
    assert action_reward([good, wrong, "Action: Sing"], accepted=accepted) == [0.9, 0.0, 0.9]
    assert binary_reward([good, wrong, "Action: Sing"], accepted=accepted) == [1.0, 0.0, 1.0]


def test_the_reward_switch_decides_which_actions_are_accepted(made):
    decisions = load_decisions(made / "decisions.jsonl")
    by_prompt = {decision.prompt: decision for decision in decisions}
    for mode, wanted in (
        ("expert", lambda d: [d.action]),
        ("optimal", lambda d: list(d.optimal_actions)),
    ):
        rows = list(draw_prompts(decisions, len(decisions), augment=False, reward=mode, seed=1))
        assert {row["prompt"] for row in rows} == set(by_prompt), (
            "one epoch visits every state once"
        )
        assert all(row["accepted"] == wanted(by_prompt[row["prompt"]]) for row in rows)


def test_rewards_of_a_group_become_its_advantages(made, tmp_path, monkeypatch):
    """Mean and standard deviation of each group's own rewards; and the loss weighs the KL as configured."""
    seen = []
    original = shared_prompt.SharedPromptTrainer._generate_and_score_completions

    def record(self, rows):
        scored = original(self, rows)
        seen.append((rows, self.accelerator.gather(scored["advantages"]), scored))
        assert self.beta == CFG.grpo.beta > 0 and self.temperature == CFG.grpo.temperature
        return scored

    monkeypatch.setattr(
        shared_prompt.SharedPromptTrainer, "_generate_and_score_completions", record
    )
    run(
        "grpo",
        made,
        tmp_path,
        replace(CFG, rollout=replace(CFG.rollout, max_new_tokens=64)),
        SHIPPED,
    )
    tokenizer = load_model(SHIPPED)[1]
    spreads = []
    for rows, advantages, scored in seen:
        replies = [
            tokenizer.decode(ids[mask.bool()], skip_special_tokens=True)
            for ids, mask in zip(scored["completion_ids"], scored["completion_mask"], strict=True)
        ]
        rewards = torch.tensor(
            [
                sum(score_reply(reply, tuple(row["accepted"])))
                for reply, row in zip(replies, rows, strict=True)
            ]
        ).view(-1, CFG.grpo.group_size)
        assert all(len({row["prompt"] for row in rows[n : n + 4]}) == 1 for n in range(0, 16, 4))
        mean, spread = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
        wanted = (rewards - mean) / (spread + 1e-4)
        assert torch.allclose(advantages.view_as(wanted), wanted, atol=1e-3)
        spreads += spread.flatten().tolist()
    assert max(spreads) > 0, "at least one group has replies that earn differently"


def test_sft_learns_replies_and_nothing_of_the_prompt(made):
    decisions = load_decisions(made / "decisions.jsonl")[:5]
    tokenizer = load_model(made / "base")[1]
    rows = [{"prompt": d.prompt, "completion": d.completion} for d in decisions]
    for row, decision in zip(common.encode(rows, tokenizer), decisions, strict=True):
        learnt = [label for label in row["labels"] if label != -100]
        assert learnt == row["input_ids"][-len(learnt) :] and learnt[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(learnt[:-1]) == decision.completion


def test_augmentation_renames_what_is_accepted_with_the_prompt(made):
    decisions = load_decisions(made / "decisions.jsonl")
    rows = list(draw_prompts(decisions, len(decisions), augment=True, reward="expert", seed=1))
    assert {row["prompt"] for row in rows}.isdisjoint(decision.prompt for decision in decisions)
    for row in rows:
        assert all(f"\n{action}\n" in row["prompt"] for action in row["accepted"])


def test_augmentation_changes_names_and_nothing_else(made):
    decisions = load_decisions(made / "decisions.jsonl")
    plain = repeat_decisions(decisions, 2, augment=False, seed=0)
    assert sorted(row["prompt"] for row in plain) == sorted(d.prompt for d in decisions * 2)
    renamed = repeat_decisions(decisions, 2, augment=True, seed=0)
    assert len(renamed) == len(plain) and {r["prompt"] for r in renamed} != {
        r["prompt"] for r in plain
    }
    assert all(
        f"\n{row['completion'].partition('Action: ')[2]}\n" in row["prompt"] for row in renamed
    )


def test_rehearsal_strews_chores_among_the_decisions_and_keeps_their_order(made):
    rows = repeat_decisions(load_decisions(made / "decisions.jsonl"), 2, augment=False, seed=0)
    mixed = mix_chores(rows, 0.25, seed=0)
    own = {row["prompt"] for row in rows}
    assert [row for row in mixed if row["prompt"] in own] == rows
    chores = [row for row in mixed if row["prompt"] not in own]
    assert len(chores) / len(mixed) == pytest.approx(0.25, abs=0.01)
    halves = [sum(row["prompt"] not in own for row in part) for part in (mixed[::2], mixed[1::2])]
    assert min(halves) > 0 and mixed[-len(chores) :] != chores, "strewn in, not appended"
    assert mix_chores(rows, 0, seed=0) == rows
    assert mix_chores(rows, 0.25, seed=1) != mixed


def test_rehearsed_decisions_are_optimal_and_ask_for_no_recipe():
    chores = draw_rehearsal(seed=4, number=150)
    assert len(chores) == 150
    for chore in chores:
        assert sum(score_reply(chore.completion, chore.optimal_actions)) == 1
        assert chore.action in chore.optimal_actions and f"\n{chore.action}\n" in chore.prompt
        slots = re.findall(r" (\d) ", chore.prompt.rpartition("Goal: ")[2])
        assert max(map(int, slots)) <= 2, "no goal of three"


def test_group_sampling_writes_what_plain_generation_writes(made, tmp_path, monkeypatch):
    """Greedily and without rounding, reading a prompt once per group changes no reply."""
    monkeypatch.setattr(shared_prompt, "has_fast_bf16", lambda: False)
    model, tokenizer = load_model(made / "base")
    prompts = [decision.prompt for decision in load_decisions(made / "decisions.jsonl")[:3]]
    trainer = shared_prompt.SharedPromptTrainer(
        model=model,
        reward_funcs=format_reward,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to="none",
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=9,
        ),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        processing_class=tokenizer,
    )
    trainer.generation_config.do_sample = False
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


@pytest.mark.parametrize("order, temperature", [("grouped", 1.0), ("grouped", 0.7), ("mixed", 1.0)])
def test_shared_prompts_give_the_loss_and_gradients_of_stock_trl(
    made, tmp_path, order, temperature
):
    """Same completions, lengths and paddings mixed: loss and gradients within 1e-6 of the gradient's norm."""
    model, tokenizer = load_model(made / "base")
    prompts = [decision.prompt for decision in load_decisions(made / "decisions.jsonl")[:3]]
    arguments = GRPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        per_device_train_batch_size=12,
        num_generations=4,
        max_completion_length=9,
        temperature=temperature,
        beta=0.05,
        loss_type="grpo",
    )
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
    found = {}
    for kind in (GRPOTrainer, shared_prompt.SharedPromptTrainer):
        twin = copy.deepcopy(model).train()
        trainer = kind(
            model=twin,
            reward_funcs=format_reward,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
            processing_class=tokenizer,
        )
        trainer.current_gradient_accumulation_steps = 1
        loss = trainer.compute_loss(twin, inputs)
        loss.backward()
        found[kind] = (loss.detach(), {n: p.grad for n, p in twin.named_parameters()})
    (stock, stock_grads), (ours, our_grads) = found.values()
    assert torch.allclose(stock, ours, atol=1e-6)
    norm = torch.stack([grad.norm() for grad in stock_grads.values()]).norm()
    assert norm > 0.1
    for name, grad in stock_grads.items():
        assert (grad - our_grads[name]).abs().max() < 1e-6 * norm, name
