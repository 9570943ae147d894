"""What stops a run in one sentence before its first job."""

from importlib.util import find_spec

import pytest

from taskreason.cli.preflight import ENGINE, TRAINING, check_start
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError

without_vllm = pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed here")
SHIPPED = load_config({}).env.data / "base_model"


def start(*needs, models=(), local=True, **groups):
    """Check a run whose jobs have these needs."""
    check_start(needs, 0, models, load_config(groups), local)


@without_vllm
def test_a_missing_engine_is_noticed_before_the_first_job():
    engine = {"engine": "vllm"}
    with pytest.raises(UserError, match="rollout.engine needs the package vllm, .*pip install"):
        start(ENGINE, rollout=engine)
    start(ENGINE, rollout=engine, local=False)
    start(ENGINE)
    start(TRAINING, rollout=engine)


@without_vllm
def test_a_missing_sampler_is_noticed_before_the_first_training():
    with pytest.raises(UserError, match="grpo.vllm needs the package vllm"):
        start(TRAINING, grpo={"vllm": "colocate"})
    start(ENGINE, grpo={"vllm": "colocate"})


def test_a_model_that_no_engine_can_sample_from_beside_its_training_is_named():
    given = {"models": [("base.model", str(SHIPPED))], "grpo": {"vllm": "colocate"}}
    with pytest.raises(UserError, match="grpo.vllm: colocate can't sample from .*base_model"):
        start(TRAINING, local=False, **given)
    start(ENGINE, local=False, **given)


def test_only_models_that_a_job_reads_have_to_be_there(tmp_path):
    models = [("base.model", str(SHIPPED)), ("base.compare", str(tmp_path / "gone"))]
    start("base.model", models=models)
    with pytest.raises(UserError, match="base.compare: .*gone"):
        start("base.model", "base.compare", models=models)


@pytest.mark.parametrize("text", [None, "[", "just text", "distributed_type_: FSDP"])
def test_a_file_that_is_none_of_accelerates_is_named(tmp_path, text):
    file = tmp_path / "accelerate.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=f"train.accelerate: {file} is no accelerate config"):
        start(TRAINING, train={"accelerate": str(file)})


def test_settings_that_sharded_weights_exclude_are_named(tmp_path):
    file = tmp_path / "fsdp.yaml"
    file.write_text("distributed_type: FSDP")
    train, quiet = {"accelerate": str(file)}, {"eval_steps": 0}
    with pytest.raises(UserError, match="grpo.eval_steps: validation .*FSDP"):
        start(TRAINING, train=train, grpo={"eval_steps": 5})
    start(TRAINING, train=train, grpo=quiet)
    if find_spec("peft"):
        with pytest.raises(UserError, match="train.lora_rank: adapters"):
            start(TRAINING, train=train | {"lora_rank": 8}, grpo=quiet)
