"""Run `make reproduce` at the smoke scale where everything outside the project is against it: does it end all the same?

A clone of what is committed, in a folder with a blank and umlauts, belongs to a user without root that is made for it,
whose home can't be written. Under LC_ALL=C, variables and settings of that user lead pip, Python, bash, LaTeX, git,
Snakemake, matplotlib and torch astray, and the clone's files are dated two hours ahead. Then the finished run is asked
through a symbolic link what is left to do. As root, on Linux:

    python benchmarks/hostile.py --python /usr/bin/python3

The interpreter must be one that other users may run. Its packages are those of the environment that runs this, linked
into an environment in the clone, so that nothing is fetched; with --install, `make` installs them itself. It says what
was found as JSON; the exit status is 1 where the run did not end, or left something to do.
"""

import argparse
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USER = "reproduction"
FOLDER = "Ordner für Übungen"
BROKEN = "raise ImportError('this module is not the one that was meant')\n"
PROMISED = ["results/index.html", "results/tables/main.csv", "results/figures/success_rate.pdf"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter of the clone")
    parser.add_argument("--cores", default="2")
    parser.add_argument("--install", action="store_true", help="let `make` install the packages")
    args = parser.parse_args()
    made = make_user()
    place = Path(tempfile.mkdtemp(prefix="hostile-"))
    place.chmod(0o755)
    try:
        found = run(place, args)
    finally:
        if made:
            subprocess.run(["userdel", USER], check=True)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 1 if found["status"] or found["missing"] or found["left_to_do"] != 0 else 0


def make_user() -> bool:
    """Whether the user had to be made."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--no-create-home", USER], check=True)
        return True
    return False


def run(place: Path, args: argparse.Namespace) -> dict:
    """Clone, run, ask what is left; what was found."""
    folder = place / FOLDER / "project"
    folder.parent.mkdir()
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    if not args.install:
        link_packages(folder, args.python)
    ahead = time.time() + 2 * 3600
    for path in folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts and ".venv" not in path.parts:
            os.utime(path, (ahead, ahead))
    subprocess.run(["chown", "-R", f"{USER}:", folder], check=True)
    variables = list_variables(place, args.python)
    log = place / "run.log"
    start = time.monotonic()
    command = ["make", "reproduce", f"CORES={args.cores}", "ARGS=--config scale=smoke"]
    status = call(command, folder, variables, log)
    seconds = round(time.monotonic() - start)
    text = log.read_text(errors="replace")
    link = place / "link"
    link.symlink_to(folder)
    command = [link / ".venv/bin/snakemake", "-s", link / "Snakefile", "-n"]
    rest = place / "rest.log"
    # A plain snakemake heeds the user's own profile, and names it where it is not there.
    own = {name: value for name, value in variables.items() if name != "SNAKEMAKE_PROFILE"}
    call([*command, "--config", "scale=smoke"], folder, own, rest)
    latex = ["paper/main.pdf"] if shutil.which("latexmk") else []
    return {
        "status": status,
        "seconds": seconds,
        "jobs": len(re.findall(r"^Finished jobid: ", text, re.MULTILINE)),
        "variables": sorted(variables),
        "missing": [name for name in [*PROMISED, *latex] if not (folder / name).is_file()],
        "left_to_do": 0 if "Nothing to be done" in rest.read_text(errors="replace") else 1,
        "log": str(log),
    }


def link_packages(folder: Path, python: str) -> None:
    """An environment as bootstrap.sh leaves it, except that its packages are those of this one."""
    subprocess.run([python, "-I", "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (site,) = folder.glob(".venv/lib/python3*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "packages.pth").write_text("\n".join([*packages, "../../../../workflow"]) + "\n")
    stamp = (
        "{ pwd -P; cat envs/requirements.txt pyproject.toml; } | cksum > .venv/installed-run.txt"
    )
    subprocess.run(stamp, shell=True, cwd=folder, check=True)


def list_variables(place: Path, python: str) -> dict[str, str]:
    """An environment in which nothing leads where it should; only PATH, PYTHON and pip's index are of use."""
    home, modules, other = place / "home", place / "modules", place / "other"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\nuser = true\ntarget = /nowhere\n")
    (home / ".config" / "matplotlib").mkdir()
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text("text.usetex: true\n")
    (home / ".pydistutils.cfg").write_text("[install]\nprefix = /nowhere\n")
    (home / ".latexmkrc").write_text("die 'these are not the settings that were meant';\n")
    (home / "texmf" / "tex" / "latex").mkdir(parents=True)
    (home / "texmf" / "tex" / "latex" / "booktabs.sty").write_text("\\nosuchmacro\n")
    modules.mkdir()
    for name in ("yaml", "numpy", "torch", "snakemake", "psutil", "pip", "venv", "sitecustomize"):
        (modules / f"{name}.py").write_text(BROKEN)
    (other / "envs").mkdir(parents=True)
    (place / "rc").write_text("echo this is not the shell that was meant; exit 3\n")
    kept = ("PATH", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHON": python,
        "HOME": str(home),
        "USER": USER,
        "LC_ALL": "C",
        "PIP_USER": "1",
        "PIP_PREFIX": "/nowhere",
        "PIP_REQUIRE_HASHES": "1",
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": str(modules),
        "PYTHONSTARTUP": "/nowhere",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
        "BASH_ENV": str(place / "rc"),
        "ENV": str(place / "rc"),
        "CDPATH": str(other),
        "POSIXLY_CORRECT": "1",
        "TEXINPUTS": "/nowhere",
        "TEXMFCNF": "/nowhere",
        "TEXMFHOME": str(home / "texmf"),
        "BSTINPUTS": "/nowhere",
        "LATEXMKRCSYS": str(home / ".latexmkrc"),
        "PERL5OPT": "-Mnowhere",
        "openout_any": "n",
        "GIT_DIR": "/nowhere",
        "GIT_WORK_TREE": "/nowhere",
        "SNAKEMAKE_PROFILE": "/nowhere",
        "MPLBACKEND": "qtagg",
        "MPLCONFIGDIR": str(home / ".config" / "matplotlib"),
        "MATPLOTLIBRC": str(home / ".config" / "matplotlib"),
        "XDG_CACHE_HOME": "/proc/cache",
        "HF_HOME": "/proc/hub",
        "TMPDIR": "/nowhere",
        "OMP_NUM_THREADS": "64",
        "OMP_PROC_BIND": "true",
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "nowhere",
        "MASTER_PORT": "1",
        "ACCELERATE_MIXED_PRECISION": "fp16",
        "USE_TORCH": "0",
    }


def call(command: list, folder: Path, variables: dict[str, str], log: Path) -> int:
    """Run a command as the user; the exit status."""
    user = pwd.getpwnam(USER)
    with log.open("w") as output:
        return subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
