"""What the project comes with (layouts, weights, prompts, published numbers) is verified before it is read."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from kitchens import ENV
from taskreason.durability import bundled_files
from taskreason.durability.errors import UserError
from taskreason.environments.base import TaskSpec
from taskreason.environments.robotouille import tasks
from taskreason.policies.model_names import list_model_files
from taskreason.policies.transformers import load_model
from taskreason.report.published import load_published

MANIFEST = bundled_files.MANIFEST


def test_the_manifest_is_of_the_files_as_they_are():
    """After a change that is meant: python envs/seal.py."""
    listed = json.loads(MANIFEST.read_text())
    files = {
        path.relative_to(bundled_files.PACKAGE).as_posix()
        for name in bundled_files.FOLDERS
        for folder in bundled_files.PACKAGE.glob(f"environments/*/data/{name}")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".md"
    }
    assert listed.keys() == files, "run python envs/seal.py"
    for name, sums in listed.items():
        content = (bundled_files.PACKAGE / name).read_bytes()
        assert sums == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }, f"{name} has changed; where that is meant, run python envs/seal.py"


@pytest.fixture
def resources(tmp_path, monkeypatch):
    """A copy of the files that the library takes for its own."""
    place = ENV.data.relative_to(bundled_files.PACKAGE)
    copy = shutil.copytree(ENV.data, tmp_path / place)
    monkeypatch.setattr(bundled_files, "PACKAGE", tmp_path)
    manifest = shutil.copy(MANIFEST, tmp_path / MANIFEST.name)
    monkeypatch.setattr(bundled_files, "MANIFEST", Path(manifest))
    bundled_files._read_manifest.cache_clear()
    yield copy
    bundled_files._read_manifest.cache_clear()


def read_layout(resources):
    tasks._read_template.cache_clear()
    return ENV.draw(TaskSpec("burger", 15, 10, str(resources / "layouts" / "burger.json")), seed=0)


def read_weights(resources):
    return load_model(resources / "base_models" / "tiny")


def read_published(resources):
    return load_published(SimpleNamespace(data=resources, tasks={}))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("layouts/burger.json", read_layout),
        ("base_models/tiny/model.safetensors", read_weights),
        ("published/table1_main.csv", read_published),
    ],
)
def test_damage_is_named_and_never_read(resources, name, read, damage):
    assert read(resources)
    file = resources / name
    content = bytearray(file.read_bytes())
    # Not at the end: numbers and names that are others still make a file of the right form.
    content[len(content) // 2] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flipped" else content[:-9])
    with pytest.raises(UserError) as caught:
        read(resources)
    message = str(caught.value)
    assert Path(name).name in message and "\n" not in message
    assert damage == "missing" or "git checkout" in message


def test_files_of_ones_own_are_taken_as_they_are(resources):
    elsewhere = shutil.copytree(resources / "base_models" / "tiny", resources.parent / "mine")
    (elsewhere / "training.csv").write_text("other")
    (resources / "layouts" / "pizza.json").write_text("{}")
    bundled_files.verify_bundled([resources / "layouts" / "pizza.json"])
    assert list_model_files(str(elsewhere)) and load_model(elsewhere)


def test_a_change_that_is_meant_is_noted(resources):
    file = resources / "layouts" / "burger.json"
    layout = json.loads(file.read_text())
    layout["goal_description"] = "Make a burger."
    file.write_text(json.dumps(layout))
    with pytest.raises(UserError, match="envs/seal.py"):
        read_layout(resources)
    bundled_files.seal()
    bundled_files._read_manifest.cache_clear()
    assert read_layout(resources)


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_without_its_manifest_nothing_is_taken_for_whole(resources, content):
    manifest = bundled_files.MANIFEST
    manifest.unlink() if content is None else manifest.write_bytes(content)
    with pytest.raises(UserError, match="bundled.json: can't be read"):
        read_layout(resources)
