"""The pinned environments: requirements, conda files and container recipe say the same."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
CONDA_FILES = sorted(ENVS.glob("*.yaml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read_pins(lines):
    pins = {}
    for line in lines:
        if line.strip() and not line.startswith(("#", "-r")):
            name, separator, version = line.strip().partition("==")
            assert separator, f"{line} is not pinned"
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = version
    return pins


RUN_PINS = read_pins((ENVS / "requirements.txt").read_text().splitlines())
DEV_PINS = read_pins((ENVS / "requirements-dev.txt").read_text().splitlines())
SLURM_PINS = read_pins((ENVS / "requirements-slurm.txt").read_text().splitlines())


@pytest.mark.parametrize("file", CONDA_FILES, ids=lambda file: file.name)
def test_conda_files_agree_with_the_pins(file):
    environment = yaml.safe_load(file.read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    pins = read_pins(pip["pip"])
    assert pins.items() <= RUN_PINS.items()


def test_light_environment_has_no_training_library():
    light = yaml.safe_load((ENVS / "light.yaml").read_text())["dependencies"][-1]["pip"]
    assert not [line for line in light if re.match(r"(torch|transformers|trl)==", line)]


def test_rules_name_existing_conda_files():
    used = set()
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        used |= set(re.findall(r'"\.\./\.\./envs/([\w.]+)"', file.read_text()))
    assert used == {file.name for file in CONDA_FILES}


def test_pins_are_what_is_installed_and_free_of_gpu_packages():
    for name, version in (RUN_PINS | DEV_PINS).items():
        assert distribution(name).version.partition("+")[0] == version
        assert not re.search(r"nvidia|cuda|\+", f"{name}{version}")


def test_the_slurm_extra_is_pinned_apart_from_all_others():
    assert set(PROJECT["project"]["optional-dependencies"]["slurm"]) <= SLURM_PINS.keys()
    assert not SLURM_PINS.keys() & RUN_PINS.keys()
    assert not [name for name in RUN_PINS | DEV_PINS if "slurm" in name]
    for name, version in SLURM_PINS.items():
        try:
            assert distribution(name).version == version
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed: envs/bootstrap.sh slurm")


def test_every_imported_package_is_a_direct_dependency():
    extras = PROJECT["project"]["optional-dependencies"]
    direct = {*PROJECT["project"]["dependencies"], *(name for e in extras.values() for name in e)}
    direct = {Requirement(name).name for name in direct}
    # The second is in an environment of its own, where nothing else says which package its module is from.
    providers = packages_distributions() | {"rocrate_validator": ["roc-validator"]}
    own = {"taskreason", "job"}
    own |= {path.stem for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py")}
    for folder in ("workflow", "tests", "benchmarks"):
        # What these compare with are no dependencies.
        compare = {ROOT / "benchmarks" / f"{name}.py" for name in ("engines", "gguf_replies")}
        for file in {*(ROOT / folder).rglob("*.py")} - compare:
            for name in list_imports(file) - own - set(sys.stdlib_module_names):
                found = {canonicalize_name(package) for package in providers.get(name, [name])}
                assert found & direct, f"{file}: imports {name}, which pyproject.toml lacks"


def list_imports(file):
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_container_installs_the_same_lists():
    recipe = (ENVS / "Containerfile").read_text()
    for name in ("latex-packages.txt", "requirements-dev.txt"):
        assert f"/envs/{name}" in recipe
    assert "python:3.11" in recipe
