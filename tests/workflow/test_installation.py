"""envs/bootstrap.sh with packages of a few bytes: no setting gets in the way, what is half-made is made whole."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = "import json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
BACKEND = """
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from wheels import write_wheel

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    place = pathlib.Path(__file__).parent / "workflow"
    return write_wheel(wheel_directory, "taskreason", {"__editable__.taskreason-1.0.pth": f"{place}\\n"})
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def write_wheel(folder, name, files):
    """A wheel, as small as pip takes it."""
    info = f"{name}-1.0.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        lines.append(f"{path},sha256={digest.rstrip('=')},{len(text.encode())}\n")
    file = f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return file


def make_project(folder):
    """The project's bootstrap, with three packages that come from a folder."""
    (folder / "envs").mkdir(parents=True)
    for name in ("bootstrap.sh", "run_pip.py", "check_packages.py", "run_snakemake.py"):
        shutil.copy(ROOT / "envs" / name, folder / "envs")
    shutil.copy(ROOT / "envs" / "latex-packages.txt", folder / "envs")
    (folder / "envs" / "requirements.txt").write_text("torch==1.0\nsnakemake==1.0\n")
    for name in ("__init__.py", "cli/__init__.py", "cli/surroundings.py"):
        target = folder / "workflow" / "taskreason" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "workflow" / "taskreason" / name, target)
    (folder / "workflow/taskreason/cli/main.py").write_text("import torch\nprint(torch.NAME)\n")
    durability = folder / "workflow" / "taskreason" / "durability"
    durability.mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "workflow" / "taskreason" / "durability" / name, durability)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    source = Path(__file__).read_text()
    start = source.index("def write_wheel")
    imports = "import base64, hashlib, zipfile\nfrom pathlib import Path\n"
    (folder / "wheels.py").write_text(imports + source[start : source.index("def make_project")])
    (folder / "wheels").mkdir()
    # Packages have files that no Python reads.
    files = {"torch/__init__.py": "NAME = 'torch'\n", "torch/template.py": "{{ name }} = \n"}
    write_wheel(folder / "wheels", "torch", files)
    write_wheel(folder / "wheels", "snakemake", {"snakemake/__main__.py": SNAKEMAKE})
    return folder


def bootstrap(folder, *parts, cwd=None, command="envs/bootstrap.sh", **variables):
    given = os.environ | {
        "PYTHON": os.path.realpath(sys.executable),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (folder / "wheels").as_uri(),
        # No settings of the machine that runs the tests.
        "XDG_CONFIG_DIRS": "/nowhere",
    }
    given |= {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        ["sh", command, *(parts or ["run"])],
        cwd=cwd or folder,
        env=given,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


def check_whole(folder, done):
    """The environment has all three packages, and pip."""
    assert done.returncode == 0, done.stderr
    code = "import pip, torch, taskreason.cli.surroundings as s; print(torch.NAME, s.__file__)"
    found = subprocess.run(
        [folder / ".venv/bin/python", "-I", "-c", code],
        capture_output=True,
        text=True,
        # A locale in which the folder's name can't be written.
        env=os.environ | {"LC_ALL": "C"},
    )
    assert found.stdout.split(None, 1)[0] == "torch", found.stderr
    assert str(folder / "workflow") in found.stdout
    assert bootstrap(folder).stderr == "", "nothing is left to be done"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = make_project(tmp_path_factory.mktemp("it's ein Überbau") / "project")
    check_whole(folder, bootstrap(folder))
    return folder


def test_packages_are_compiled_ahead(project):
    (module,) = (project / ".venv").glob("lib/python*/site-packages/torch/__init__.py")
    assert Path(cache_from_source(module)).is_file()


@pytest.fixture
def hostile(tmp_path):
    """A home full of settings, a folder of modules that can't be imported, and another folder named envs."""
    home, modules = tmp_path / "home", tmp_path / "modules"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nuser = true\n[install]\ntarget = /nowhere\nno-binary = :all:\n"
    )
    (home / ".pydistutils.cfg").write_text("[install]\nprefix = /nowhere\n")
    modules.mkdir()
    for name in ("yaml", "pip", "venv", "torch", "json", "zipfile"):
        (modules / f"{name}.py").write_text("raise ImportError('not this one')\n")
    (tmp_path / "envs").mkdir()
    return {"HOME": home, "PYTHONPATH": modules, "CDPATH": tmp_path, "PYTHONHOME": "/nowhere"}


HOSTILE = {
    "pip": {"PIP_USER": "1", "PIP_REQUIRE_HASHES": "1", "PIP_NO_BINARY": ":all:"},
    "elsewhere": {"PIP_TARGET": "/nowhere", "PIP_PREFIX": "/nowhere", "PIP_DRY_RUN": "1"},
    "rest": {
        **{"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONSTARTUP": "/nowhere"},
        **{"TMPDIR": "/nowhere", "XDG_CACHE_HOME": "/proc", "PIP_CACHE_DIR": "/proc"},
        **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    },
}


@pytest.mark.parametrize("variables", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_the_user_has_set_gets_in_the_way(project, hostile, variables):
    shutil.rmtree(project / ".venv")
    check_whole(project, bootstrap(project, **hostile, **variables))


def test_where_packages_come_from_is_the_users_choice(project, monkeypatch, tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = file:///a\nextra-index-url = file:///b\n  file:///c\nuser = true\n"
        "[install]\nindex-url = file:///d\nproxy = host:1\n[wheel]\nindex-url = file:///e\n"
    )
    read = "import json, sys; sys.path.insert(0, 'envs'); import run_pip\n"
    read += "run_pip.os.execve = lambda program, words, variables: print(json.dumps(variables))\n"
    read += "run_pip.main()"
    given = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    given |= {"PIP_CONFIG_FILE": str(settings), "PIP_TIMEOUT": "7", "PIP_TARGET": "/nowhere"}
    done = subprocess.run(
        [project / ".venv/bin/python", "-I", "-c", read],
        cwd=project,
        env=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["PIP_INDEX_URL"] == "file:///d"
    assert found["PIP_EXTRA_INDEX_URL"] == "file:///b file:///c"
    assert (found["PIP_PROXY"], found["PIP_TIMEOUT"]) == ("host:1", "7")
    assert found["PIP_CONFIG_FILE"] == os.devnull
    assert not {"PIP_USER", "PIP_TARGET"} & found.keys()


def remove_pip(venv):
    for path in venv.glob("lib/python*/site-packages/pip*"):
        shutil.rmtree(path)


def lose_interpreter(venv):
    for path in venv.glob("bin/python*"):
        path.unlink()
        path.symlink_to("/nowhere/bin/python3")


def upgrade_interpreter(venv):
    """As after an upgrade: the link leads to a Python for which nothing is installed."""
    (folder,) = venv.glob("lib/python3*")
    folder.rename(folder.with_name("python3.0"))


def kill_installation(venv):
    """As pip leaves it: the metadata say that the package is there."""
    (venv / "installing.txt").write_text("envs/requirements.txt\n")
    (file,) = venv.glob("lib/python*/site-packages/torch/__init__.py")
    file.write_text("")


def kill_before_the_list(venv):
    (venv / "installing.txt").write_text("envs/requirements.txt\n")
    (file,) = venv.glob("lib/python*/site-packages/torch-1.0.dist-info/RECORD")
    file.unlink()


def kill_making_the_environment(venv):
    shutil.rmtree(venv)
    venv.mkdir()


def leave_a_dangling_link(venv):
    shutil.rmtree(venv)
    venv.symlink_to("/nowhere/environment")


HALF_MADE = [
    remove_pip,
    lose_interpreter,
    upgrade_interpreter,
    kill_installation,
    kill_before_the_list,
    kill_making_the_environment,
    leave_a_dangling_link,
]


@pytest.mark.parametrize("damage", HALF_MADE, ids=lambda damage: damage.__name__)
def test_a_half_made_environment_is_made_whole(project, damage):
    damage(project / ".venv")
    for stamp in (project / ".venv").glob("installed-*"):
        if damage in (remove_pip, kill_installation):
            stamp.unlink()
    check_whole(project, bootstrap(project))


def test_a_failed_installation_leaves_a_whole_environment_alone(project):
    (project / "envs" / "requirements-dev.txt").write_text("nothing-of-this-name==1.0\n")
    own = project / ".venv" / "kept"
    own.write_text("")
    done = bootstrap(project, "dev")
    assert done.returncode != 0 and "nothing-of-this-name" in done.stderr
    assert bootstrap(project).returncode == 0
    assert own.exists()


def test_an_environment_that_is_a_file_is_named(project):
    shutil.rmtree(project / ".venv")
    (project / ".venv").write_text("")
    done = bootstrap(project)
    (project / ".venv").unlink()
    assert done.returncode == 2
    assert ".venv is a file where the environment belongs; rename or remove it" in done.stderr


def test_a_link_to_the_project_is_the_project(project, tmp_path):
    check_whole(project, bootstrap(project))
    (tmp_path / "link").symlink_to(project)
    logical = {"PWD": str(tmp_path / "link")}
    assert bootstrap(project, cwd=tmp_path / "link", **logical).stderr == ""
    assert bootstrap(project, cwd="/", command=f"{tmp_path}/link/envs/bootstrap.sh").stderr == ""


@pytest.mark.parametrize("name", ["co:lon", "{braces}", "do$lar", "a\nline", "end\n", 'quo"te'])
def test_a_folder_that_cannot_hold_an_environment_is_refused_before_anything_is_made(
    tmp_path, name
):
    folder = make_project(tmp_path / name)
    done = bootstrap(folder, PYTHON="/nowhere/python3")
    assert done.returncode == 2
    assert "rename or move the folder" in done.stderr
    assert not (folder / ".venv").exists()


def test_a_folder_whose_name_is_not_text_is_refused(tmp_path):
    name = os.fsencode(tmp_path) + b"/lat\xfcin"
    try:
        os.mkdir(name)
    except OSError:
        pytest.skip("this file system takes no such name")
    folder = make_project(Path(os.fsdecode(name)) / "project")
    done = bootstrap(folder)
    assert done.returncode == 2
    assert "is not in UTF-8; rename or move the folder" in done.stderr


def test_the_commands_of_the_environment_start_apart_from_the_users_variables(project, hostile):
    check_whole(project, bootstrap(project))
    for name in ("HOME", "CDPATH", "PYTHONHOME"):
        hostile.pop(name)
    given = os.environ | {name: str(value) for name, value in hostile.items()}
    given |= {"BASH_ENV": "/nowhere", "TEXINPUTS": "/nowhere", "RANK": "1", "HTTP_PROXY": "host:1"}
    given |= {"HOME": "/proc", "XDG_CACHE_HOME": "/proc/cache", "CUDA_VISIBLE_DEVICES": "3"}
    (project / "snakemake.py").write_text("raise ImportError('not this one')\n")

    def run(*command):
        return subprocess.run(command, cwd=project, env=given, capture_output=True, text=True)

    done = run(project / ".venv/bin/taskreason")
    assert done.stdout == "torch\n", done.stderr
    done = run(project / ".venv/bin/snakemake", "-n", "--config", "ab='{b: \"c\"}'")
    assert done.returncode == 0, done.stderr
    arguments, variables = json.loads(done.stdout)
    assert arguments == ["-n", "--config", "ab='{b: \"c\"}'"]
    assert not {"BASH_ENV", "TEXINPUTS", "RANK", "PYTHONPATH"} & variables.keys()
    assert variables["HTTP_PROXY"] == "host:1" and variables["CUDA_VISIBLE_DEVICES"] == "3"
    assert variables["XDG_CACHE_HOME"] == str(project / ".snakemake" / "cache")
