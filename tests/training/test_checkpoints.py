"""Which checkpoint a training resumes from, whatever has happened to the files."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.trainer_callback import TrainerState

from taskreason.training.checkpoints import CheckpointSums, explain_damage, find_checkpoint

FILES = ("model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json", "curve.json")


def save(folder, step, sums=True, first=True):
    """A checkpoint as the trainer leaves it; the contents do not matter here."""
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "shards").mkdir(parents=True)
    for name in ("model.safetensors", "shards/more.safetensors"):
        (checkpoint / name).write_bytes(f"{name} of step {step}".encode() * 9)
    torch.save({"state": {0: {"step": torch.tensor(float(step))}}}, checkpoint / "optimizer.pt")
    states = {"python": (3, (1, 2), None), "numpy": np.random.get_state()}
    torch.save(states, checkpoint / "rng_state.pth")
    torch.save(SimpleNamespace(seed=0), checkpoint / "training_args.bin")
    (checkpoint / "curve.json").write_text('[{"step": 1, "loss": 0.5}]')
    TrainerState(global_step=step).save_to_json(str(checkpoint / "trainer_state.json"))
    if sums:
        state = SimpleNamespace(global_step=step, is_world_process_zero=first)
        CheckpointSums().on_save(SimpleNamespace(output_dir=str(folder)), state, None)
    return checkpoint


def test_the_newest_whole_checkpoint_is_taken_and_older_ones_go(tmp_path):
    assert find_checkpoint(tmp_path / "none", "SFT") is None
    older, newest = save(tmp_path, 4), save(tmp_path, 12)
    assert find_checkpoint(tmp_path, "SFT") == str(newest) and not older.exists()


def test_a_checkpoint_without_its_checksums_may_be_cut_off_and_is_left_out(tmp_path, capsys):
    """The one before it is there until the checksums are."""
    older, newest = save(tmp_path, 4), save(tmp_path, 12, sums=False)
    assert find_checkpoint(tmp_path, "SFT") == str(older) and not newest.exists()
    assert "(checksums.json: it is missing or can't be read" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*FILES, "shards/more.safetensors", "checksums.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_checkpoint_is_named_and_left_out(tmp_path, capsys, name, damage):
    newest = save(tmp_path, 8)
    file = newest / name
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flipped" else content[:20])
    assert find_checkpoint(tmp_path, "SFT burger") is None
    shown = capsys.readouterr().out
    # Of changed checksums, the file that they do not describe any more is named.
    named = r".*" if (name, damage) == ("checksums.json", "flipped") else name
    assert re.search(rf"SFT burger: {newest} is damaged \({named}: .*\) and left out\n$", shown)
    assert shown.count("\n") == 1 and not newest.exists()


def test_a_checkpoint_may_lie_anywhere(tmp_path):
    newest = save(tmp_path / "ein Ordner für 実験", 8)
    assert find_checkpoint(newest.parent, "SFT") == str(newest)


def test_what_the_training_has_not_written_is_no_part_of_its_checkpoint(tmp_path):
    newest = save(tmp_path, 8)
    assert explain_damage(newest) == "" and not (newest / "training_args.bin").exists()
    torch.save({"scale": 1.0}, newest / "scaler.pt")
    assert explain_damage(newest) == "scaler.pt: the training has not written it"


def test_without_a_whole_checkpoint_training_starts_anew(tmp_path):
    (save(tmp_path, 4) / "optimizer.pt").unlink()
    (save(tmp_path, 8) / "optimizer.pt").unlink()
    assert find_checkpoint(tmp_path, "SFT") is None


def test_the_first_of_several_processes_writes_the_checksums(tmp_path):
    assert not (save(tmp_path, 4, first=False) / "checksums.json").exists()
