"""SFT and GRPO on a model of a few thousand parameters: what they read, write, log, and resume."""

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
import torch
from transformers import Qwen2Config
from trl.trainer.utils import add_fused_lm_head

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.config.models import TaskSettings
from taskreason.durability.errors import UserError
from taskreason.environments.base import REHEARSED
from taskreason.environments.reply import Reply, parse_reply
from taskreason.policies.transformers import load_model
from taskreason.rollouts.dataset import load_decisions
from taskreason.training import setup
from taskreason.training.base_model import build_base
from taskreason.training.checkpoints import CurveLog
from taskreason.training.grpo import (
    choose_sampler,
    draw_prompts,
    draw_rehearsed,
    list_rewards,
    train_grpo,
)
from taskreason.training.scoring import copy_model
from taskreason.training.sft import encode, mix_lessons, repeat_decisions, train_sft
from taskreason.training.trainer import SharedPromptTrainer
from training_files import files_in, make_data

TASK = "cheese_sandwich"
CFG = load_config({"scale": "smoke", "rollout": {"max_new_tokens": 12}})
TINY = ENV.data / "base_models" / "tiny"
"""Knows the format, so that its replies earn differently."""
TALKATIVE = replace(
    CFG,
    rollout=replace(CFG.rollout, max_new_tokens=64, batch_size=100),
    task_settings={TASK: TaskSettings(timeout=3)},
)
"""Whole replies, and validations that take little of the time."""
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
    make_data(folder, TASK, CFG)
    build_base(CFG, folder / "base", folder / "c", folder / "base.csv")
    return folder


def run(stage, made, out, cfg=CFG, start=None):
    train = {"sft": train_sft, "grpo": train_grpo}[stage]
    worlds = made / "validation.jsonl"
    files = files_in(out, made / "decisions.jsonl", start or made / "base", worlds)
    train(TASK, cfg, files)
    return pd.read_csv(files.curve)


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
    cfg = replace(TALKATIVE, grpo=replace(CFG.grpo, steps=3, eval_steps=2))
    start = TINY if stage == "grpo" else None
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
    assert not (tmp_path / "killed" / "model").exists(), "no half-made model"
    capsys.readouterr()
    resumed = run(stage, made, tmp_path / "killed", cfg, start)
    assert "resuming from" in capsys.readouterr().out
    assert resumed["step"].tolist() == whole["step"].tolist()
    assert {file.name for file in (tmp_path / "killed" / "model").iterdir()} == FILES
    assert not (tmp_path / "killed" / "checkpoints").exists()
    for name in set(whole) - {"seconds"}:
        assert resumed[name].equals(whole[name]), name
    if stage == "grpo":
        assert (whole["reward_std"] > 0).any()
        seen = [pd.read_csv(tmp_path / name / "validation.csv") for name in ("whole", "killed")]
        assert seen[0].equals(seen[1]) and seen[0]["step"].tolist() == [0, 2, 3]
    weights = [
        (tmp_path / name / "model" / "model.safetensors").read_bytes()
        for name in ("whole", "killed")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("fast_bf16", [True, False])
def test_grpo_logs_what_the_report_draws(made, tmp_path, monkeypatch, fast_bf16):
    """On processors that multiply bf16, sampling has a copy of the policy; on others it is the policy itself."""
    for module in ("training.setup", "policies.transformers"):
        monkeypatch.setattr(f"taskreason.{module}.has_fast_bf16", lambda: fast_bf16)
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
    """Greedy validations draw no random number, so rewards and weights are those of a training without them."""
    run("grpo", made, tmp_path / "watched")
    run("grpo", made, tmp_path, replace(CFG, grpo=replace(CFG.grpo, eval_steps=0)))
    assert pd.read_csv(tmp_path / "validation.csv").empty
    one, other = (
        pd.read_csv(path) for path in (tmp_path / "watched/curve.csv", tmp_path / "curve.csv")
    )
    assert one["reward"].tolist() == other["reward"].tolist()
    weights = [load_model(path / "model")[0] for path in (tmp_path / "watched", tmp_path)]
    for first, second in zip(*(model.parameters() for model in weights), strict=True):
        assert torch.equal(first, second)


def test_a_copy_of_a_patched_model_runs_on_its_own_weights(made):
    model, tokenizer = load_model(made / "base")
    add_fused_lm_head(model)
    twin = copy_model(model)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    ids = torch.tensor([tokenizer("Robot table1")["input_ids"]])
    assert twin(input_ids=ids).logits.abs().max() == 0 < model(input_ids=ids).logits.abs().max()


def test_training_refuses_a_foreign_trajectory_file_before_it_loads_a_model(made, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"prompt": "hello"}\n')
    with pytest.raises(UserError, match="bad.jsonl:1"):
        train_sft(TASK, CFG, files_in(tmp_path, tmp_path / "bad.jsonl", tmp_path / "none"))


PLAIN_GRPO = replace(CFG, grpo=replace(CFG.grpo, augment=False))


@pytest.mark.parametrize("reward", ["expert", "optimal"])
def test_the_reward_switch_decides_which_actions_are_accepted(made, reward):
    """Of every action that is possible in a prompt, as TRL sees the data set's rows."""
    decisions = load_decisions(made / "decisions.jsonl")
    drawn = list(draw_prompts(decisions, [], len(decisions), PLAIN_GRPO))
    assert sorted(drawn, key=str) == sorted(decisions, key=str), "one epoch visits every state once"
    _, action_reward = list_rewards(reward)
    several = 0
    for decision in drawn:
        accepted = set(decision.optimal_actions) if reward == "optimal" else {decision.action}
        lines = decision.prompt.splitlines()
        replies = [f"Thought: x\nAction: {line}" for line in lines]
        earned = action_reward(completions=replies, decision=[asdict(decision)] * len(lines))
        assert {line for line, pay in zip(lines, earned, strict=True) if pay} == accepted
        several += len(decision.optimal_actions) > 1
    assert several, "where several actions are optimal, the rewards differ"


def test_rewards_of_a_group_become_its_advantages(made, tmp_path, monkeypatch):
    """Mean and standard deviation of each group's own rewards; and the loss weighs the KL as configured."""
    seen = []
    original = SharedPromptTrainer._generate_and_score_completions

    def record(self, rows):
        scored = original(self, rows)
        seen.append((rows, self.accelerator.gather(scored["advantages"]), scored))
        assert self.beta == CFG.grpo.beta > 0 and self.temperature == CFG.grpo.temperature
        return scored

    monkeypatch.setattr(SharedPromptTrainer, "_generate_and_score_completions", record)
    run("grpo", made, tmp_path, replace(TALKATIVE, grpo=replace(CFG.grpo, eval_steps=0)), TINY)
    tokenizer = load_model(TINY)[1]
    spreads = []
    for rows, advantages, scored in seen:
        replies = [
            tokenizer.decode(ids[mask.bool()], skip_special_tokens=True)
            for ids, mask in zip(scored["completion_ids"], scored["completion_mask"], strict=True)
        ]
        rewards = torch.tensor(
            [earn_by_hand(reply, row["decision"]) for reply, row in zip(replies, rows, strict=True)]
        ).view(-1, CFG.grpo.group_size)
        assert all(len({row["prompt"] for row in rows[n : n + 4]}) == 1 for n in range(0, 16, 4))
        mean, spread = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
        wanted = (rewards - mean) / (spread + 1e-4)
        assert torch.allclose(advantages.view_as(wanted), wanted, atol=1e-3)
        spreads += spread.flatten().tolist()
    assert max(spreads) > 0, "at least one group has replies that earn differently"


def earn_by_hand(reply, decision):
    """A tenth for the form, the rest for the expert's action, or for any optimal one where no task is taught."""
    rehearsed = decision["layout_hash"] == REHEARSED
    accepted = decision["optimal_actions"] if rehearsed else [decision["action"]]
    read = parse_reply(reply)
    return 0.1 * read.well_formed + 0.9 * (read.action in accepted)


def test_sft_learns_replies_and_nothing_of_the_prompt(made):
    decisions = load_decisions(made / "decisions.jsonl")[:5]
    tokenizer = load_model(made / "base")[1]
    rows = [{"prompt": d.prompt, "completion": d.completion} for d in decisions]
    for row, decision in zip(encode(rows, tokenizer), decisions, strict=True):
        learnt = [label for label in row["labels"] if label != -100]
        assert learnt == row["input_ids"][-len(learnt) :] and learnt[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(learnt[:-1]) == decision.completion


def test_augmentation_renames_what_is_accepted_with_the_prompt(made):
    decisions = load_decisions(made / "decisions.jsonl")
    drawn = list(draw_prompts(decisions, [], len(decisions), CFG))
    assert {d.prompt for d in drawn}.isdisjoint(decision.prompt for decision in decisions)
    for decision in drawn:
        named = {decision.action, *decision.optimal_actions}
        assert all(f"\n{action}\n" in decision.prompt for action in named)
        assert decision.action in decision.optimal_actions
        assert parse_reply(decision.completion) == Reply(decision.action, well_formed=True)


PLAIN_SFT = replace(CFG, sft=replace(CFG.sft, augment=False))


def test_augmentation_changes_names_and_nothing_else(made):
    decisions = load_decisions(made / "decisions.jsonl")
    plain = repeat_decisions(decisions, 2, PLAIN_SFT, seed=0)
    assert sorted(row["prompt"] for row in plain) == sorted(d.prompt for d in decisions * 2)
    renamed = repeat_decisions(decisions, 2, CFG, seed=0)
    assert CFG.sft.augment and len(renamed) == len(plain)
    assert {row["prompt"] for row in renamed} != {row["prompt"] for row in plain}
    for row in renamed:
        assert f"\n{row['completion'].partition('Action: ')[2]}\n" in row["prompt"]


def test_rehearsal_strews_lessons_among_the_decisions_and_keeps_their_order(made):
    rows = repeat_decisions(load_decisions(made / "decisions.jsonl"), 2, PLAIN_SFT, seed=0)
    cfg = replace(CFG, sft=replace(CFG.sft, rehearsal=0.25))
    mixed = mix_lessons(rows, cfg, seed=0)
    own = {row["prompt"] for row in rows}
    assert [row for row in mixed if row["prompt"] in own] == rows
    lessons = [row for row in mixed if row["prompt"] not in own]
    assert len(lessons) / len(mixed) == pytest.approx(0.25, abs=0.01)
    halves = [sum(row["prompt"] not in own for row in part) for part in (mixed[::2], mixed[1::2])]
    assert min(halves) > 0 and mixed[-len(lessons) :] != lessons, "strewn in, not appended"
    assert mix_lessons(rows, replace(cfg, sft=replace(cfg.sft, rehearsal=0.0)), seed=0) == rows
    assert mix_lessons(rows, cfg, seed=1) != mixed


def test_rehearsed_decisions_are_optimal_and_make_up_the_share_that_is_asked_for():
    cfg = replace(CFG, grpo=replace(CFG.grpo, rehearsal=0.25))
    drawn = draw_rehearsed(cfg, 150)
    assert len(drawn) == 50 and draw_rehearsed(cfg.for_seed(1), 30) != drawn[:10]
    for decision in drawn:
        assert decision.layout_hash == REHEARSED
        assert parse_reply(decision.completion) == Reply(decision.action, well_formed=True)
        assert decision.action in decision.optimal_actions
        assert f"\n{decision.action}\n" in decision.prompt
    assert draw_rehearsed(replace(cfg, grpo=replace(cfg.grpo, rehearsal=0.0)), 150) == []


def test_micro_batches_hold_whole_groups(made, tmp_path, monkeypatch):
    """Where groups were torn apart, no prompt would be shared any more."""
    original = SharedPromptTrainer._prepare_inputs
    seen = []

    def record(self, rows):
        batch = original(self, rows)
        groups = batch["prompt_ids"].view(-1, CFG.grpo.group_size, batch["prompt_ids"].shape[1])
        assert (groups == groups[:, :1]).all()
        seen.append(len(groups))
        return batch

    monkeypatch.setattr(SharedPromptTrainer, "_prepare_inputs", record)
    halves = replace(CFG.grpo, eval_steps=0, micro_batch=2 * CFG.grpo.group_size)
    run("grpo", made, tmp_path, replace(CFG, grpo=halves))
    assert seen == [2] * (CFG.grpo.steps * CFG.grpo.prompts_per_step // 2)


def test_a_filtered_training_reads_the_reference_for_groups_with_spread_alone(
    made, tmp_path, monkeypatch
):
    """And gives up no column of the curve, where a step has no such group, either."""
    read, found = [], []
    original = SharedPromptTrainer._score_by_reference
    scored = SharedPromptTrainer._generate_and_score_completions

    def record(self, rows):
        values = original(self, rows)
        ids, mask = (
            torch.cat([rows[f"prompt_{kind}"], rows[f"completion_{kind}"]], dim=1)
            for kind in ("ids", "mask")
        )
        with torch.no_grad():
            logits = self.ref_model(input_ids=ids, attention_mask=mask).logits
        ends = rows["completion_ids"].shape[1]
        plain = logits[:, -ends - 1 : -1].log_softmax(-1)
        plain = plain.gather(2, rows["completion_ids"][..., None])[..., 0]
        kept = rows["completion_mask"].bool()
        assert (plain - values)[kept].abs().mean() < 0.02, "but for the rounding of bf16"
        read.append(len(values))
        return values

    def score(self, inputs):
        output = scored(self, inputs)
        assert "ref_per_token_logps" not in output and self.beta == CFG.grpo.beta > 0
        found.append(output["advantages"].view(-1, CFG.grpo.group_size))
        return output

    monkeypatch.setattr(SharedPromptTrainer, "_score_by_reference", record)
    monkeypatch.setattr(SharedPromptTrainer, "_generate_and_score_completions", score)
    grpo = replace(CFG.grpo, eval_steps=0, filter_groups=True)
    curve = run("grpo", made, tmp_path, replace(TALKATIVE, grpo=grpo), TINY)
    spread = [int((part.abs().amax(1) > 0.1).sum()) for part in found]
    assert read == [
        (n or len(part)) * CFG.grpo.group_size for n, part in zip(spread, found, strict=True)
    ]
    assert 0 < sum(spread) < sum(map(len, found)), "some groups have spread and some have none"
    assert curve[["kl", "entropy", "loss", "reward"]].notna().all(axis=None)


def test_a_training_tells_which_replies_no_policy_can_give(made, tmp_path, capfd):
    """The longest of the expert's has as many tokens as are asked for, and then nothing is said."""
    tokenizer = load_model(made / "base")[1]
    replies = [d.completion for d in load_decisions(made / "decisions.jsonl")]
    counted = setup.count_tokens(replies, tokenizer)
    lengths = sorted(len(tokenizer.encode(reply)) + 1 for reply in replies)
    assert sorted(counted) == lengths
    cut = sum(length > lengths[0] for length in lengths)
    capfd.readouterr()
    for limit, wanted in [
        (lengths[0], f"SFT x: {cut} of the {len(replies)} replies"),
        (lengths[-1], ""),
    ]:
        cfg = replace(CFG, rollout=replace(CFG.rollout, max_new_tokens=limit))
        setup.tell_cut_replies(counted, cfg, "SFT x")
        told = capfd.readouterr().err
        assert told.startswith(wanted) and bool(told) == bool(wanted)
        assert not wanted or told.endswith(f"set it to {lengths[-1]} or more.\n")
