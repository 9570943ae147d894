"""What stops a run in one sentence before its first job."""

from importlib.util import find_spec

import pytest
from test_workflow import read_rules

from kitchens import ENV
from taskreason.cli.preflight import COLLECTIONS, ROLLOUTS, TRAININGS, check_start
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError

without_vllm = pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed here")
HOSTED = {"policy": "model", "model": "api:expert"}
LOCAL = {"policy": "model", "model": "/models/expert"}


def start(*rules, local=True, **groups):
    """Check a run of these rules whose models are all there."""
    check_start([(rule, 0) for rule in rules], [], load_config(groups), local)


def test_every_rule_that_takes_a_gpu_is_checked():
    """The base model's own training and probes need neither vLLM nor adapters; collection may."""
    heavy = {name for name, body in read_rules() if "        gpu=" in body}
    assert heavy == ROLLOUTS | TRAININGS | COLLECTIONS | {"build_base", "probe_base"}


@without_vllm
@pytest.mark.parametrize("rule", sorted(ROLLOUTS))
def test_a_missing_engine_is_noticed_before_the_first_job(rule):
    engine = {"engine": "vllm"}
    models = {"compare": ["/models/other"]}
    with pytest.raises(UserError, match="rollout.engine needs the package vllm, .*pip install"):
        start("make_tables", rule, rollout=engine, base=models)
    start(rule, rollout=engine, base=models, local=False)
    start(rule, base=models)
    start("make_tables", "evaluate_rules", "probe_base", rollout=engine)


@without_vllm
def test_only_models_that_run_here_need_the_engine():
    engine = {"engine": "vllm"}
    with pytest.raises(UserError, match="needs the package vllm"):
        start("collect", rollout=engine, expert=LOCAL)
    start("collect", rollout=engine)
    start("collect", rollout=engine, expert=HOSTED)
    start("evaluate_compared", rollout=engine, base={"compare": ["api:other"]})


@without_vllm
@pytest.mark.parametrize("rule", sorted(TRAININGS))
def test_a_missing_sampler_is_noticed_before_the_first_training(rule):
    with pytest.raises(UserError, match="grpo.vllm needs the package vllm"):
        start(rule, grpo={"vllm": "colocate"})
    start("evaluate_sft", grpo={"vllm": "colocate"})


def test_a_model_that_no_engine_can_sample_from_beside_its_training_is_named():
    shipped = ENV.data / "base_model"
    cfg = load_config({"grpo": {"vllm": "colocate"}})
    with pytest.raises(UserError, match="grpo.vllm: colocate can't sample from .*base_model"):
        check_start([("train_sft", 0)], [("base.model", str(shipped))], cfg, False)
    check_start([("evaluate_sft", 0)], [("base.model", str(shipped))], cfg, False)


@pytest.mark.parametrize("text", [None, "[", "just text", "distributed_type_: FSDP"])
def test_a_file_that_is_none_of_accelerates_is_named(tmp_path, text):
    file = tmp_path / "accelerate.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=f"train.accelerate: {file} is no accelerate config"):
        start("train_sft", train={"accelerate": str(file)})


def test_settings_that_sharded_weights_exclude_are_named(tmp_path):
    file = tmp_path / "fsdp.yaml"
    file.write_text("distributed_type: FSDP")
    train, quiet = {"accelerate": str(file)}, {"eval_steps": 0}
    with pytest.raises(UserError, match="grpo.eval_steps: validation .*FSDP"):
        start("train_grpo", train=train, grpo={"eval_steps": 5})
    start("train_grpo", train=train, grpo=quiet)
    if find_spec("peft"):
        with pytest.raises(UserError, match="train.lora_rank: adapters"):
            start("train_grpo", train=train | {"lora_rank": 8}, grpo=quiet)
