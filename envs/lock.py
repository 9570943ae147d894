"""Write the pinned requirements and the conda files from what is installed in this environment.

Direct dependencies come from pyproject.toml; everything below them is found through the installed
packages' own metadata and pinned to the installed version. To move a version: install it with pip
in .venv, run the tests, run `python envs/lock.py`, commit the changed files. The file of an extra
that is not installed (`envs/bootstrap.sh slurm supply` does it) stays as it is. Then run
`python envs/hash_pins.py` for the hashes and `make sbom` for the bill of materials.
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVS = Path(__file__).resolve().parent
HEADER = "# Written by envs/lock.py from pyproject.toml and the installed versions; do not edit.\n"


def close_over(names: list[str]) -> dict[str, str]:
    """The named packages and everything they need: canonical name -> version, sorted."""
    pins: dict[str, str] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == "pip":  # what installs is not among what is installed
            continue
        package = distribution(name)
        new = name not in pins
        # A local label such as +cpu names one build of a version; the pin is the version.
        pins[name] = package.version.partition("+")[0]
        for line in package.requires or [] if new or requirement.extras else []:
            below = Requirement(line)
            extras = requirement.extras or {""}
            if below.marker is None or any(below.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(below)
    return dict(sorted(pins.items()))


def format_pins(pins: dict[str, str], indent: str = "") -> str:
    return "".join(f"{indent}{name}=={version}\n" for name, version in pins.items())


def format_further(pins: dict[str, str], run: dict[str, str]) -> str:
    """A requirements file that adds to requirements.txt what is not in there."""
    further = {name: version for name, version in pins.items() if name not in run}
    return f"{HEADER}-r requirements.txt\n{format_pins(further)}"


def format_conda(stage: str, pins: dict[str, str]) -> str:
    """A conda file that takes Python from conda and the same pinned packages as pip does."""
    return (
        f"{HEADER}# {stage}\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n"
        f"  - python=3.11\n  - pip\n  - pip:\n{format_pins(pins, '      - ')}"
    )


def main() -> None:
    project = tomllib.loads((ENVS.parent / "pyproject.toml").read_text())
    light = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    build = project["build-system"]["requires"]
    run = close_over([*light, *extras["train"], *extras["workflow"], *build])
    files = {
        "requirements.txt": HEADER + format_pins(run),
        "requirements-dev.txt": format_further(close_over(extras["dev"]), run),
        "light.yaml": format_conda(
            "Collection, tables, figures, paper: no torch.", close_over(light)
        ),
        "train.yaml": format_conda(
            "Base model, SFT, GRPO, evaluation.", close_over([*light, *extras["train"]])
        ),
    }
    for extra in ("slurm", "supply"):
        try:
            files[f"requirements-{extra}.txt"] = format_further(close_over(extras[extra]), run)
        except PackageNotFoundError as error:
            print(f"requirements-{extra}.txt is left as it is: {error}")
    for name, text in files.items():
        assert not re.search(r"nvidia|cuda", text), f"{name} pins a GPU package"
        (ENVS / name).write_text(text)


if __name__ == "__main__":
    main()
