"""Files that the project comes with, under workflow/resources: verified before they are read, as results are.

Their checksums are in checksums.json there, which `python envs/seal.py` writes after a change that is meant. Files that
are not listed, a model or a layout of somebody's own among them, are taken as they are.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from taskreason.checksums import describe_file, explain_difference
from taskreason.errors import UserError
from taskreason.files import write_json

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
MANIFEST = RESOURCES / "checksums.json"
FOLDERS = ("base_model", "base_models", "prompt", "published", "tasks")
"""What results depend on; the templates of the page are read by eye."""


def verify_shipped(paths: Iterable[Path]) -> None:
    """Raise UserError for the first of the files that is missing or not as it was shipped."""
    known = _read_manifest()
    for path in paths:
        place = path.resolve()
        name = place.relative_to(RESOURCES).as_posix() if place.is_relative_to(RESOURCES) else ""
        if name not in known:
            continue
        why = explain_difference(path, known[name]) if path.is_file() else "it is missing"
        if why:
            raise UserError(
                f"{path}: the file is not what the project comes with ({why}); restore it "
                f"(`git checkout -- {path}`) or, where the change is meant, note it (`python envs/seal.py`)."
            )


def seal() -> None:
    """Write the checksums of all files as they are now."""
    found = (path for folder in FOLDERS for path in sorted((RESOURCES / folder).rglob("*")))
    files = [path for path in found if path.is_file() and path.suffix != ".md"]
    sums = {path.relative_to(RESOURCES).as_posix(): describe_file(path) for path in files}
    write_json(MANIFEST, {n: {k: s[k] for k in ("sha256", "bytes")} for n, s in sums.items()})


@cache
def _read_manifest() -> dict[str, dict]:
    try:
        return json.loads(MANIFEST.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{MANIFEST}: can't be read ({error}); restore it with `git checkout -- {MANIFEST}`."
        ) from None
