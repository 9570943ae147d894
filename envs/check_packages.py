"""Whether every package of this environment is whole: all files that it lists are there, with their sizes.

    .venv/bin/python -I envs/check_packages.py

A killed pip can leave a package that it takes for installed later. Exit status 1, and its name, for one that is not
whole.
"""

import sys
from importlib.metadata import Distribution, distributions


def explain(package: Distribution) -> str:
    """What is wrong with a package, "" if nothing is."""
    files = package.files
    if not files or not package.metadata["Name"]:
        return "its list of files is missing"
    for file in files:
        place = file.locate()
        # Without a size, or rewritten by bootstrap.sh: what is there only after the installation.
        if file.size is None or file.name.startswith("__editable__"):
            continue
        if not place.is_file():
            return f"{file} is missing"
        if place.stat().st_size != file.size:
            return f"{file} has not the size that it should have"
    return ""


def main() -> None:
    for package in distributions():
        if why := explain(package):
            name = package.metadata["Name"] or package._path.name
            sys.exit(f"{name} is not whole: {why}.")


if __name__ == "__main__":
    main()
