"""No pickle is ever read: files that would run a program when they are unpickled, wherever a file can be given.

The program makes a folder, which must never be there. Refusals are one sentence.
"""

import ast
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kitchens import ENV
from taskreason.cli.main import main
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.checksums import describe_file, read_record
from taskreason.durability.errors import UserError
from taskreason.durability.partial_results import PartialResults
from taskreason.policies.loading import load_model_policy
from taskreason.policies.model_names import check_model
from taskreason.policies.transformers import load_model
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds
from taskreason.training import checkpoints
from taskreason.training.base_model import install_base
from taskreason.training.checkpoints import CurveLog
from taskreason.training.sft import train_sft
from training_files import files_in

ROOT = Path(__file__).resolve().parents[2]
TINY = ENV.data / "base_models" / "tiny"
TASK = "cheese_sandwich"
SMOKE = load_config({"scale": "smoke"})
CFG = replace(
    SMOKE,
    worlds=replace(SMOKE.worlds, training=8),
    expert=replace(SMOKE.expert, trajectories=2),
    sft=replace(SMOKE.sft, epochs=1, batch_size=8, save_steps=1, rehearsal=0.0),
)


class Program:
    """An object whose pickle makes a folder when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path):
    """What the programs make; after the test it must not be there."""
    folder = tmp_path / "the program has run"
    yield folder
    assert not folder.exists()


def write_pickle(path, marker):
    path.write_bytes(pickle.dumps({"weight": Program(marker)}))


def write_archive(path, marker):
    """In torch's own format of today."""
    with path.open("wb") as file:
        torch.save({"weight": torch.zeros(2), "more": Program(marker)}, file)


WRITERS = [write_pickle, write_archive]
FORMATS = pytest.mark.parametrize("write", WRITERS)


def test_the_files_are_programs_and_torch_is_told_to_run_none(tmp_path):
    """In a process without the library they run; in one with it they don't, whatever a library asks torch for."""
    markers = {write: tmp_path / f"{write.__name__} has run" for write in WRITERS}
    for write, marker in markers.items():
        write(tmp_path / f"{write.__name__}.bin", marker)
    code = f"""import torch, pathlib
for file in pathlib.Path({str(tmp_path)!r}).glob("*.bin"):
    try:
        torch.load(file, weights_only=False)
    except Exception as error:
        print(error)
"""
    told = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    told.pop("TORCH_FORCE_WEIGHTS_ONLY_LOAD")  # by this process, which has the library
    for first in ("os", "taskreason"):
        command = [sys.executable, "-c", f"import {first}\n{code}"]
        done = subprocess.run(command, env=told, capture_output=True, check=True)
        for marker in markers.values():
            assert marker.exists() == (first == "os")
            if marker.exists():
                marker.rmdir()
    assert done.stdout.count(b"Weights only load failed") == len(markers)


def spoil(folder, kind, write, marker):
    """A model's folder whose weights, or something else of it, are a program."""
    shutil.copytree(TINY, folder)
    whole = folder / "model.safetensors"
    if kind == "other format":
        whole.unlink()
        write(folder / "pytorch_model.bin", marker)
    elif kind == "other format in parts":
        whole.unlink()
        write(folder / "pytorch_model-00001-of-00001.bin", marker)
        names = {"model.norm.weight": "pytorch_model-00001-of-00001.bin"}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))
    elif kind == "index of another format":
        whole.unlink()
        write(folder / "weights.bin", marker)
        index = {"metadata": {}, "weight_map": {"model.norm.weight": "weights.bin"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    elif kind == "index without its parts":
        whole.unlink()
        write(folder / "pytorch_model.bin", marker)
        index = {"metadata": {}, "weight_map": {"model.norm.weight": "lost.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    elif kind == "adapter":
        write(folder / "adapter_model.bin", marker)
        settings = {"peft_type": "LORA", "target_modules": ["q_proj"], "r": 1}
        (folder / "adapter_config.json").write_text(json.dumps(settings))
    elif kind in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        write(folder / kind, marker)
    else:
        raise KeyError(kind)


def spoil_code(folder, marker):
    """A model's folder that brings its own modules."""
    shutil.copytree(TINY, folder)
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.A", "AutoModelForCausalLM": "own.B"},
    }
    (folder / "config.json").write_text(json.dumps(config))


def refuse(load, folder):
    with pytest.raises(UserError) as caught:
        load(folder)
    message = str(caught.value)
    assert str(folder) in message and "\n" not in message and message.endswith(".")
    return message


def load_by_vllm(folder):
    """Refused before vLLM is so much as imported."""
    return load_model_policy(folder, replace(CFG, rollout=replace(CFG.rollout, engine="vllm")))


@FORMATS
@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("other format", "model.safetensors is missing; .* safetensors only"),
        ("other format in parts", "model.safetensors is missing; .* safetensors only"),
        ("index of another format", "names 'weights.bin', but .* safetensors only"),
        ("index without its parts", "lost.safetensors is missing; .* safetensors only"),
        ("adapter", "adapter_config.json makes this the folder of an adapter"),
    ],
)
def test_a_model_in_another_format_is_refused_by_all_that_read_models(
    tmp_path, marker, capsys, kind, complaint, write
):
    folder = tmp_path / "model"
    spoil(folder, kind, write, marker)
    readers = [
        load_model,
        lambda name: install_base(name, tmp_path / "base"),
        lambda name: load_model_policy(name, CFG),
        load_by_vllm,
        lambda name: check_model("base.model", str(name)),
    ]
    for load in readers:
        assert re.search(complaint, refuse(load, folder))
    options = ["--layouts", str(ENV.data / "layouts" / "burger.json"), "--timeout", "3"]
    assert main(["rollout", "--policy", str(folder), *options]) == 2
    shown = capsys.readouterr()
    assert not shown.out and re.search(complaint, shown.err) and shown.err.count("\n") == 1
    assert not (tmp_path / "base").exists()


@FORMATS
@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_a_program_under_the_name_of_a_models_file_is_refused(tmp_path, marker, name, write):
    folder = tmp_path / "model"
    spoil(folder, name, write, marker)
    assert "can't be loaded" in refuse(load_model, folder)


def test_a_program_beside_the_weights_is_let_lie_and_modules_of_a_models_own_are_refused(
    tmp_path, marker
):
    shutil.copytree(TINY, tmp_path / "model")
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "adapter_model.bin"):
        write_pickle(tmp_path / "model" / name, marker)
    assert load_model(tmp_path / "model")
    install_base(tmp_path / "model", tmp_path / "base")
    assert {path.suffix for path in (tmp_path / "base").iterdir()} == {".json", ".safetensors"}
    spoil_code(tmp_path / "own", marker)
    assert "can't be loaded" in refuse(load_model, tmp_path / "own")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What an SFT leaves that is killed near its end, and the folder of its inputs."""
    folder = tmp_path_factory.mktemp("killed")
    make_worlds(TASK, "train", CFG, folder / "train.jsonl")
    collect(TASK, CFG, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    original = CurveLog.on_log

    def die(self, args, state, control, **kwargs):
        original(self, args, state, control, **kwargs)
        if state.global_step == state.max_steps:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CurveLog, "on_log", die)
        with pytest.raises(KeyboardInterrupt):
            train(folder, folder / "out")
    return folder


def train(made, out):
    train_sft(TASK, CFG, files_in(out, made / "decisions.jsonl", TINY))


def seal(checkpoint):
    """Make the checksums of a checkpoint those of what is there, as somebody who forges one would."""
    names = checkpoints.list_files(checkpoint)
    sums = {name: describe_file(checkpoint / name) for name in names}
    (checkpoint / checkpoints.SUMS).write_text(json.dumps(sums))


STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
ADDED = (
    "scaler.pt",
    "training_args.bin",
    "pytorch_model.bin",
    "optimizer.bin",
    "adapter_model.bin",
    "global_step4/mp_rank_00_model_states.pt",
    "pytorch_model_fsdp_0/.metadata",
)


@FORMATS
@pytest.mark.parametrize("sums", ["old", "forged", "none"])
@pytest.mark.parametrize("name", [*STATES, *ADDED])
def test_a_checkpoint_with_a_program_is_named_and_left_out(
    killed, tmp_path, marker, capsys, name, sums, write
):
    """Whether its checksums are the training's, match the program or are gone."""
    shutil.copytree(killed / "out", tmp_path / "out")
    (checkpoint,) = (tmp_path / "out/checkpoints").glob("checkpoint-*")
    assert checkpoints.explain_damage(checkpoint) == ""
    (checkpoint / name).parent.mkdir(exist_ok=True)
    write(checkpoint / name, marker)
    if sums == "forged":
        seal(checkpoint)
    if sums == "none":
        (checkpoint / checkpoints.SUMS).unlink()
    assert checkpoints.find_checkpoint(checkpoint.parent, "SFT burger") is None
    (sentence,) = capsys.readouterr().out.splitlines()
    assert sentence.startswith(f"SFT burger: {checkpoint} is damaged (")
    known = f"{name}: it has " if name in STATES else f"{name}: the training has not written it"
    reasons = {"old": known, "none": "checksums.json: it is missing"}
    assert reasons.get(sums, f"{name}: it holds something other than plain tensors") in sentence
    assert not checkpoint.exists()


def test_after_a_checkpoint_with_a_program_training_starts_anew(killed, tmp_path, marker, capsys):
    shutil.copytree(killed / "out", tmp_path / "out")
    (checkpoint,) = (tmp_path / "out/checkpoints").glob("checkpoint-*")
    write_archive(checkpoint / "optimizer.pt", marker)
    seal(checkpoint)
    train(killed, tmp_path / "out")
    shown = capsys.readouterr().out
    assert "(optimizer.pt: it holds something other" in shown and "resuming" not in shown
    assert (tmp_path / "out/model/model.safetensors").is_file()


@pytest.mark.parametrize("name", [*STATES, "scaler.pt", "pytorch_model.bin"])
def test_the_trainer_itself_runs_no_program_of_a_checkpoint(
    killed, tmp_path, monkeypatch, marker, name
):
    """The second line of defence: with the check of checkpoints out of the way, as after a change of the trainer's."""
    shutil.copytree(killed / "out", tmp_path / "out")
    (checkpoint,) = (tmp_path / "out/checkpoints").glob("checkpoint-*")
    write_archive(checkpoint / name, marker)
    if name == "pytorch_model.bin":
        (checkpoint / "model.safetensors").unlink()
    monkeypatch.setattr(checkpoints, "explain_damage", lambda checkpoint: "")
    # On a CPU there is no scaler that could take the state.
    error = AttributeError if name == "scaler.pt" else pickle.UnpicklingError
    with pytest.raises(error, match="NoneType|Weights only load failed"):
        train(killed, tmp_path / "out")


@FORMATS
def test_a_program_in_place_of_data_is_refused(tmp_path, monkeypatch, marker, capsys, write):
    file = tmp_path / "data.jsonl"
    write(file, marker)
    for read in (load_decisions, lambda path: load_starts(TASK, path, ENV), ENV.read_worlds):
        refuse(read, file)
    assert read_record(file) == {} and PartialResults(file).read() == []
    assert f"{file}:1: damaged" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/checksums").mkdir(parents=True)
    write(tmp_path / "results/checksums/job.json", marker)
    assert main(["check"]) == 2


def test_a_configuration_holds_values_only(marker):
    """YAML can name functions to call, too."""
    text = f"!!python/object/apply:os.mkdir [{str(marker)!r}]"
    with pytest.raises(UserError):
        load_config(resolve_config({}, overrides={"seeds": text}))


def test_no_module_of_the_project_reads_pickles():
    """Neither by their own modules nor by readers that take them when they are told to."""
    banned = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path in (ROOT / "workflow").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.partition(".")[0] for alias in node.names}
                names.add((getattr(node, "module", "") or "").partition(".")[0])
                assert not names & banned, path
            if isinstance(node, ast.Call):
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                called = ast.unparse(node.func)
                assert not called.endswith("read_pickle"), path
                assert given.get("allow_pickle", "False") == "False", path
                assert given.get("trust_remote_code", "False") == "False", path
                if called.endswith("torch.load"):
                    assert given.get("weights_only") == "True", path
                if called.endswith(".from_pretrained") and "Model" in called:
                    assert given.get("use_safetensors") == "True", path
