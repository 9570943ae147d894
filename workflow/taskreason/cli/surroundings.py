"""What a run takes from its surroundings: environment variables, the command line, folders, the time of files.

None of them may change what a run makes. Whatever starts Snakemake, and its Snakefile for all that it starts, goes
through here; only the standard library is needed for it.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterable, MutableMapping, Sequence
from pathlib import Path

from taskreason.durability.errors import UserError, clip

DROPPED = re.compile(
    r"""
    PYTHON.+                                    # where modules are looked for, assertions, warnings as errors
    | BASH_ENV | BASH_FUNC_.* | BASHOPTS | SHELLOPTS | ENV | CDPATH | GLOBIGNORE | POSIXLY_CORRECT  # bash
    | PERL.+ | LATEXMKRC.* | TEX.+ | KPATHSEA.* | (BIB|BST|T1|TTF)\w*(INPUTS|FONTS) | open(in|out)_any | \w+_print_line
    | MPLBACKEND | MATPLOTLIBRC | SOURCE_DATE_EPOCH | FORCE_SOURCE_DATE  # figures and the PDF
    | GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|NAMESPACE|EXTERNAL_DIFF)  # the commit that provenance notes
    | (OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|NUMEXPR|VECLIB|RAYON|DNNL|ONEDNN)_.* | ATEN_CPU_CAPABILITY  # threads, kernels
    | ACCELERATE_.* | TORCHELASTIC_.* | (PMI|OMPI_COMM_WORLD|MV2_COMM_WORLD)_.* | USE_(TORCH|TF|FLAX|JAX)
    | (LOCAL_|GROUP_|NODE_|ROLE_)?RANK | (LOCAL_|ROLE_)?WORLD_SIZE | MASTER_(ADDR|PORT)  # of another distributed run
    | SBATCH_(?!ACCOUNT$|PARTITION$|QOS$|RESERVATION$|CONSTRAINT$|CLUSTERS$).*  # options of a person's own submissions
    """,
    re.VERBOSE,
)
"""Variables of the user that change what our programs do; those that tell where things are (proxies, caches, keys,
graphics cards) and those that pay (accounts of a cluster) stay."""
PROGRAMS = {"PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "MATPLOTLIBRC": os.devnull}
"""What holds instead: text is UTF-8 in every locale; packages and the look of figures are never the user's own."""
CONFIG_FLAGS = ("--config", "-C")
AHEAD = 1.0
"""Seconds by which a file may be newer than one that is made now; clocks count in steps."""
SHIPPED = ("Snakefile", "config.yaml", "workflow", "paper", "envs", "profiles")
"""What the project comes with, and people edit."""
UNFIT = re.compile(r"[{}]")
"""What Snakemake takes for a wildcard wherever it meets it in a path."""


def free_variables(variables: MutableMapping[str, str]) -> None:
    """Remove from an environment what would change what the programs do that are started in it."""
    for name in filter(DROPPED.fullmatch, list(variables)):
        del variables[name]
    variables.update(PROGRAMS)


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise UserError for overrides that Snakemake drops silently or gives up on with a traceback."""
    groups = list(_list_overrides(arguments))
    if len(groups) > 1:
        words = " ".join(map(_quote_word, (word for group in groups for word in group)))
        raise UserError(
            "--config stands more than once, and Snakemake heeds the last alone; write all after a single one: "
            f"--config {words}"
        )
    for word in groups[0] if groups else ():
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(
                f"--config: {clip(word)!r} is no KEY=VALUE; write a value after it (scale=smoke), and targets before "
                "--config."
            )
        group, dot, rest = key.partition(".")
        if dot and re.fullmatch(r"[\w.]+", key):
            for name in reversed(rest.split(".")):
                value = f"{{{name}: {value}}}"
            raise UserError(
                f"--config: {clip(word)!r} names a key of a group by a dot; write {group}='{clip(value)}'."
            )
        if not re.fullmatch(r"[a-zA-Z_][\w-]*\w", key):
            raise UserError(
                f"--config: {clip(word)!r} begins with no key; write one of those in config.yaml, such as scale=smoke."
            )


def _list_overrides(arguments: Sequence[str]) -> Iterable[list[str]]:
    """The words after each --config."""
    group: list[str] | None = None
    for word in arguments:
        flag, equals, first = word.partition("=")
        if word == "--":
            break
        if word.startswith("-") and not re.match(r"-\d", word):
            if group is not None:
                yield group
            group = None
            if flag in CONFIG_FLAGS:
                group = [first] if equals else []
        elif group is not None:
            group.append(word)
    if group is not None:
        yield group


def _quote_word(word: str) -> str:
    key, equals, value = word.partition("=")
    return word if re.fullmatch(r"[\w.,/:@%+-]*", value) else f"{key}{equals}'{value}'"


def check_place(folder: Path) -> None:
    """Raise UserError where the project or a run lies in a folder whose path Snakemake can't use."""
    if found := UNFIT.search(str(folder)):
        raise UserError(
            f"{clip(str(folder))}: Snakemake takes {found[0]} in a path for a wildcard; rename the folder or move the "
            "project."
        )


def settle_folders(variables: MutableMapping[str, str], fallback: Path) -> None:
    """Let programs keep caches below `fallback` where the user's own place can't be written.

    Raises UserError where not even temporary files can be written.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise UserError(
            f"TMPDIR ({variables.get('TMPDIR', 'not set')}): no folder for temporary files can be written, /tmp "
            "neither; make room there or set TMPDIR to a folder with room."
        ) from None
    cache = Path(variables.get("XDG_CACHE_HOME") or Path(variables.get("HOME") or "/") / ".cache")
    if not can_write(cache):
        variables["XDG_CACHE_HOME"] = str(fallback / "cache")
    if "MPLCONFIGDIR" in variables and not can_write(Path(variables["MPLCONFIGDIR"])):
        del variables["MPLCONFIGDIR"]


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, which need not be there yet."""
    if not folder.is_absolute():
        return False
    while not os.path.lexists(folder):
        folder = folder.parent
    try:
        with tempfile.TemporaryDirectory(dir=folder):
            return True
    except OSError:
        return False


def reset_times(project: Path) -> None:
    """Date files of the project that come from the future as of now: only the order of a run's own files counts."""
    now = read_clock(Path.cwd())
    for name in SHIPPED:
        root = project / name
        for path in [root] if root.is_file() else root.rglob("*"):
            if path.is_file() and path.stat().st_mtime > now + AHEAD:
                try:
                    os.utime(path, (now, now))
                except OSError:
                    raise UserError(_explain_ahead(path, now)) from None


def check_times(paths: Iterable[str]) -> None:
    """Raise UserError for the first of these files that is newer than what is made now can be."""
    now = read_clock(Path.cwd())
    for path in paths:
        if os.path.isfile(path) and os.stat(path).st_mtime > now + AHEAD:
            raise UserError(_explain_ahead(Path(path), now))


def read_clock(folder: Path) -> float:
    """What time new files in a folder get; a file server's clock may differ from this machine's."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return max(os.fstat(file.fileno()).st_mtime, time.time())
    except OSError:
        return time.time()


def _explain_ahead(path: Path, now: float) -> str:
    minutes = max(1, round((path.stat().st_mtime - now) / 60))
    return (
        f"{path}: the file is dated {minutes} minutes ahead of this machine's clock, so that all made from it would "
        "look too old; set the clock right, or date it as of now (touch)."
    )
