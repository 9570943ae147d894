"""Where the packages come from: hashes of every pin, what an audit says, a bill of materials, one Python everywhere."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from test_envs import DEV_PINS, RUN_PINS, read_pins

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
REQUIREMENTS = sorted(ENVS.glob("requirements*.txt"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
judge = runpy.run_path(str(ENVS / "audit.py"))["judge"]


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_every_pin_but_torch_has_hashes(file):
    text = (ENVS / "hashed" / file.name).read_text().replace("\\\n", " ")
    hashed = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", "-r")):
            pin, *hashes = line.partition(";")[0].split() + re.findall(r"--hash=\S+", line)
            hashes = [part for part in hashes if part.startswith("--hash")]
            assert hashes and all(map(HASH.fullmatch, hashes)), line
            hashed |= read_pins([pin])
    pins = read_pins(file.read_text().splitlines())
    pins.pop("torch", None)
    assert hashed == pins, "run: python envs/hash_pins.py"


def test_the_installer_is_pinned_nowhere():
    assert not [file for file in REQUIREMENTS if "pip" in read_pins(file.read_text().splitlines())]


FLAW = {"id": "PYSEC-1", "aliases": ["CVE-1"]}


@pytest.mark.parametrize(
    ("found", "justified", "status", "told"),
    [
        (None, set(), 3, "2 of 2 packages could not be looked up"),
        ([{"name": "a", "skip_reason": "?"}, {"name": "b", "vulns": []}], set(), 3, "1 of 2"),
        (
            [{"name": n, "version": "1", "vulns": []} for n in "ab"],
            set(),
            0,
            "2 packages looked up",
        ),
        ([{"name": n, "version": "1", "vulns": [FLAW]} for n in "ab"], set(), 1, "a 1: PYSEC-1; b"),
        ([{"name": n, "version": "1", "vulns": [FLAW]} for n in "ab"], {"CVE-1"}, 0, "2 packages"),
    ],
)
def test_what_an_audit_says(found, justified, status, told):
    sentence, code = judge(found, 2, justified)
    assert code == status and told in sentence and sentence.count("\n") == 0


@pytest.mark.skipif(
    not shutil.which("cyclonedx-py", path=str(Path(sys.executable).parent)),
    reason="cyclonedx-py is not installed: envs/bootstrap.sh supply",
)
def test_the_bill_of_materials_holds_every_pin(tmp_path):
    command = [Path(sys.executable).with_name("cyclonedx-py"), "environment", sys.executable]
    bill = tmp_path / "sbom.json"
    subprocess.run([*command, "--no-validate", "-o", bill], check=True, capture_output=True)
    found = {
        re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"].partition("+")[0]
        for part in json.loads(bill.read_text())["components"]
    }
    assert (RUN_PINS | DEV_PINS).items() <= found.items()


def test_conda_files_hold_what_their_stages_import():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    light = set(project["dependencies"])
    needed = {"light": light, "train": light | set(project["optional-dependencies"]["train"])}
    for name, direct in needed.items():
        *_, pip = yaml.safe_load((ENVS / f"{name}.yaml").read_text())["dependencies"]
        assert direct <= read_pins(pip["pip"]).keys()


def test_one_python_everywhere():
    recipe = (ENVS / "Containerfile").read_text()
    (container,) = re.findall(r"^FROM python:(\d+\.\d+)", recipe, re.MULTILINE)
    forge = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (step,) = [s for s in forge["jobs"]["test"]["steps"] if "setup-python" in s.get("uses", "")]
    conda = {
        yaml.safe_load((ENVS / f"{name}.yaml").read_text())["dependencies"][0]
        for name in ("light", "train")
    }
    assert conda == {f"python={container}"} and step["with"]["python-version"] == container
