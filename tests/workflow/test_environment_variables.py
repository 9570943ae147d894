"""What a shell or a home sets for other programs changes nothing in a run; what is in the way is named."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile

import pytest
from test_workflow import ROOT, needs_latex, run_snakemake

from taskreason.cli.surroundings import (
    can_write,
    check_arguments,
    free_variables,
    settle_folders,
)
from taskreason.durability import errors
from taskreason.durability.errors import UserError

SMOKE = ["--config", "scale=smoke"]
WORLDS = "results/smoke/worlds/burger/train.jsonl"
START = [sys.executable, "-I", str(ROOT / "envs" / "run_snakemake.py")]


def start(folder, *arguments, **variables):
    """Snakemake as `make` and the commands of .venv start it."""
    given = {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        [*START, *arguments, "-s", str(ROOT / "Snakefile"), "--directory", str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | given,
        cwd=folder,
        timeout=120,
    )


@pytest.fixture
def modules(tmp_path):
    folder = tmp_path / "modules"
    folder.mkdir()
    for name in ("yaml", "numpy", "snakemake", "taskreason", "sitecustomize"):
        (folder / f"{name}.py").write_text("raise ImportError('not this one')\n")
    (folder / "rc").write_text("exit 3\n")
    return folder


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONPATH": "{modules}", "PYTHONWARNINGS": "error", "PYTHONSAFEPATH": "1"},
        {"BASH_ENV": "{modules}/rc", "CDPATH": "/", "PYTHONOPTIMIZE": "2", "GIT_DIR": "/nowhere"},
        {"HOME": "/proc", "TMPDIR": "/nowhere", "XDG_CACHE_HOME": "/proc/cache", "LC_ALL": "C"},
        {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "nowhere", "MPLBACKEND": "qtagg"},
    ],
    ids=["modules", "shell", "places", "others"],
)
def test_no_variable_stops_a_run(tmp_path, modules, variables):
    given = {name: value.format(modules=modules) for name, value in variables.items()}
    done = start(tmp_path, WORLDS, "--cores", "1", *SMOKE, **given)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / WORLDS).stat().st_size > 0


def test_a_plain_snakemake_starts_its_jobs_apart_from_the_shell(tmp_path, modules):
    given = {"BASH_ENV": str(modules / "rc"), "PERL5OPT": "-Mnowhere", "PYTHONOPTIMIZE": "2"}
    done = run_snakemake(tmp_path, WORLDS, *SMOKE, **given)
    assert done.returncode == 0, done.stderr[-3000:]


def test_what_tells_where_things_are_stays():
    kept = {"HTTPS_PROXY", "HF_HOME", "HF_TOKEN", "CUDA_VISIBLE_DEVICES", "SBATCH_ACCOUNT", "PATH"}
    kept |= {"PYTHON", "TORCH_INDEX", "OPENAI_API_KEY", "SLURM_JOB_ID", "LD_LIBRARY_PATH", "HOME"}
    dropped = {"PYTHONHOME", "TEXMFHOME", "OMP_PROC_BIND", "SBATCH_EXPORT", "BASH_FUNC_cd%%"}
    dropped |= {"ACCELERATE_MIXED_PRECISION", "LOCAL_RANK", "PERL5LIB", "LATEXMKRC", "openout_any"}
    variables = dict.fromkeys(kept | dropped, "1")
    free_variables(variables)
    assert kept <= variables.keys()
    assert not dropped & variables.keys()
    assert variables["PYTHONUTF8"] == "1"


def test_a_profile_of_the_users_own_is_named(tmp_path):
    done = start(tmp_path, "-n", WORLDS, *SMOKE, SNAKEMAKE_PROFILE="/nowhere/profile")
    assert "SNAKEMAKE_PROFILE is set: the profile /nowhere/profile applies" in done.stderr


@needs_latex
def test_latex_reads_no_one_elses_settings(tmp_path):
    """The compiling command of the workflow, under settings that would break it."""
    paper = (ROOT / "workflow" / "rules" / "paper.smk").read_text()
    assert "latexmk -norc" in paper and "TEXMFHOME=results/paper-build" in paper
    home = tmp_path / "home"
    (home / "texmf" / "tex" / "latex").mkdir(parents=True)
    (home / "texmf" / "tex" / "latex" / "booktabs.sty").write_text("\\nosuchmacro\n")
    for place in (home, tmp_path):
        (place / ".latexmkrc").write_text("die 'not this one';\n")
    text = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}x\\end{document}\n"
    (tmp_path / "main.tex").write_text(text)
    variables = os.environ | {"HOME": str(home), "PERL5OPT": "-Mnowhere", "TEXMFCNF": "/nowhere"}
    free_variables(variables)
    command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=variables | {"TEXMFHOME": "nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("begin", [lambda f, *a: run_snakemake(f, *a), start])
def test_overrides_that_snakemake_would_drop_are_refused(tmp_path, begin):
    wrong = ["-n", "--config", "scale=smoke", "--config", "sft={epochs: 4}"]
    done = begin(tmp_path, *wrong)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("write all after a single one: --config scale=smoke sft='{epochs: 4}'")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("--config sft.epochs=4", "write sft='{epochs: 4}'"),
        ("-n --config scale=smoke theory.a.b=1 -q", "write theory='{a: {b: 1}}'"),
        ("--config sft", "'sft' is no KEY=VALUE"),
        ("--config scale=smoke results/tables/main.csv", "targets before --config"),
        ("-C scale=smoke -n -C seeds=[0,1]", "--config scale=smoke seeds='[0,1]'"),
        ("--config=scale=smoke --cores 2 --config seeds=[0]", "stands more than once"),
        ("--config =4", "begins with no key"),
    ],
)
def test_each_misuse_of_config_has_its_sentence(words, advice):
    with pytest.raises(UserError) as error:
        check_arguments(words.split())
    assert advice in str(error.value)


def test_what_is_right_passes():
    check_arguments(["results/x.csv", "-n", "--config", "scale=smoke", "sft={epochs: 4}", "-q"])
    check_arguments(["--configfile", "a.yaml", "--configfile", "b.yaml", "--config"])
    check_arguments(["--cores", "2", "--set-resources", "a:mem_mb=3", "--config", "scale="])
    check_arguments([])


def dangle(results):
    results.symlink_to("/nowhere/disk")


def be_a_file(results):
    results.write_text("")


def loop(results):
    results.symlink_to(results.name)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (dangle, "it is a link to /nowhere/disk, which is not there"),
        (be_a_file, "it is a file where the folder of the results belongs"),
        (loop, "it is a link to results, which is not there"),
    ],
)
def test_results_that_is_no_folder_is_named(tmp_path, place, words):
    place(tmp_path / "results")
    done = run_snakemake(tmp_path, WORLDS, *SMOKE)
    assert done.returncode == 1
    assert any(line.startswith("results: ") and words in line for line in done.stderr.splitlines())


def test_no_room_for_temporary_files_is_said_with_the_variable(tmp_path, monkeypatch):
    def refuse():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    with pytest.raises(UserError, match=r"TMPDIR \(/full\): no folder for temporary files"):
        settle_folders({"TMPDIR": "/full"}, tmp_path)


def test_a_full_place_for_temporary_files_is_told_from_full_results(tmp_path, monkeypatch):
    full = tmp_path / "full"
    full.mkdir()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        errors.shutil,
        "disk_usage",
        lambda folder: usage._replace(free=0 if folder == full else 1 << 40),
    )
    monkeypatch.setenv("TMPDIR", str(full))
    error = OSError(errno.ENOSPC, "No space left on device")
    assert errors.explain_machine_error(error, tmp_path).startswith(f"TMPDIR ({full}): ")


def test_caches_lie_below_the_run_only_where_they_must(tmp_path):
    variables = {"HOME": "/proc", "MPLCONFIGDIR": "/proc/mpl"}
    settle_folders(variables, tmp_path)
    assert variables["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    assert "MPLCONFIGDIR" not in variables
    own = {"HOME": str(tmp_path)}
    settle_folders(own, tmp_path / "other")
    assert own == {"HOME": str(tmp_path)}
    assert can_write(tmp_path / "not" / "there")
