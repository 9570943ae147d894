"""Start Snakemake with the arguments given, independent of what the user's shell sets for other programs.

    python -I envs/run_snakemake.py -n

`make` and the `snakemake` of .venv go through here, since a module on PYTHONPATH or a home that can't be written stops
Snakemake before it reads a line of the Snakefile.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

from taskreason.cli.surroundings import (  # noqa: E402
    check_arguments,
    check_place,
    free_variables,
    settle_folders,
)
from taskreason.durability.errors import UserError  # noqa: E402


def main() -> None:
    variables = dict(os.environ)
    try:
        check_arguments(sys.argv[1:])
        check_place(Path.cwd())
        free_variables(variables)
        settle_folders(variables, Path.cwd() / ".snakemake")
    except UserError as error:
        sys.exit(str(error))
    if profile := variables.get("SNAKEMAKE_PROFILE"):
        print(
            f"SNAKEMAKE_PROFILE is set: the profile {profile} applies besides the project's own; unset it to run "
            "without.",
            file=sys.stderr,
        )
    # The folder in which it is called holds no modules of Snakemake's.
    variables["PYTHONSAFEPATH"] = "1"
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
    os.execve(sys.executable, command, variables)


if __name__ == "__main__":
    main()
