"""Which checkpoint a training resumes from, whatever has happened to the files."""

from types import SimpleNamespace

import pytest
from transformers.trainer_callback import TrainerState

from taskreason.train.checkpoints import CheckpointSums, find_checkpoint

FILES = ("model.safetensors", "optimizer.pt", "rng_state.pth")


def save(folder, step, sums=True):
    """A checkpoint as the trainer leaves it; the contents do not matter here."""
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    for name in FILES:
        (checkpoint / name).write_bytes(f"{name} of step {step}".encode() * 9)
    TrainerState(global_step=step).save_to_json(str(checkpoint / "trainer_state.json"))
    if sums:
        place = SimpleNamespace(output_dir=str(folder)), SimpleNamespace(global_step=step)
        CheckpointSums().on_save(*place, None)
    return checkpoint


def test_the_newest_whole_checkpoint_is_taken(tmp_path):
    assert find_checkpoint(tmp_path / "none", "SFT") is None
    save(tmp_path, 4)
    newest = save(tmp_path, 12)
    assert find_checkpoint(tmp_path, "SFT") == str(newest)
    # Killed after the trainer had written everything and before the checksums.
    unsealed = save(tmp_path, 16, sums=False)
    assert find_checkpoint(tmp_path, "SFT") == str(unsealed)


@pytest.mark.parametrize("name", [*FILES, "trainer_state.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_checkpoint_is_named_and_left_out(tmp_path, capsys, name, damage):
    older, newest = save(tmp_path, 4), save(tmp_path, 8)
    file = newest / name
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flipped" else content[:20])
    assert find_checkpoint(tmp_path, "SFT burger") == str(older)
    shown = capsys.readouterr().out
    assert f"SFT burger: {newest} is damaged ({name}: it" in shown and not newest.exists()


@pytest.mark.parametrize("state", [None, b"", b"{", b"[]", b"\xff", b'{"unknown": 1}'])
def test_a_checkpoint_that_was_cut_off_is_left_out(tmp_path, capsys, state):
    older, newest = save(tmp_path, 4), save(tmp_path, 8, sums=False)
    (newest / "trainer_state.json").unlink()
    if state is not None:
        (newest / "trainer_state.json").write_bytes(state)
    assert find_checkpoint(tmp_path, "SFT") == str(older)
    assert "(trainer_state.json can't be read) and left out" in capsys.readouterr().out


def test_without_a_whole_checkpoint_training_starts_anew(tmp_path):
    (save(tmp_path, 4) / "optimizer.pt").unlink()
    (save(tmp_path, 8) / "optimizer.pt").unlink()
    assert find_checkpoint(tmp_path, "SFT") is None


def test_processes_that_write_at_their_own_pace_get_no_checksums(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not (save(tmp_path, 4) / "checksums.json").exists()
