"""Files that the project comes with, in its package: verified before they are read, as results are.

Their checksums are in bundled.json, next to this module; `python envs/seal.py` writes it after a change that is meant.
Files that are not listed, a model or a layout of somebody's own among them, are taken as they are.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from taskreason.durability.checksums import describe_file, explain_difference
from taskreason.durability.errors import UserError
from taskreason.durability.files import write_json

PACKAGE = Path(__file__).resolve().parents[1]
MANIFEST = Path(__file__).with_name("bundled.json")
FOLDERS = ("base_model", "base_models", "layouts", "prompt", "published")
"""What results depend on, in the data of every environment; the templates of the page are read by eye."""


def verify_bundled(paths: Iterable[Path]) -> None:
    """Raise UserError for the first of the files that is missing or not as it was shipped."""
    known = _read_manifest()
    for path in paths:
        place = path.resolve()
        name = place.relative_to(PACKAGE).as_posix() if place.is_relative_to(PACKAGE) else ""
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
    folders = [f for name in FOLDERS for f in sorted(PACKAGE.glob(f"environments/*/data/{name}"))]
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    files = [path for path in found if path.is_file() and path.suffix != ".md"]
    sums = {path.relative_to(PACKAGE).as_posix(): describe_file(path) for path in files}
    write_json(MANIFEST, {n: {k: s[k] for k in ("sha256", "bytes")} for n, s in sums.items()})


@cache
def _read_manifest() -> dict[str, dict]:
    try:
        return json.loads(MANIFEST.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{MANIFEST}: can't be read ({error}); restore it with `git checkout -- {MANIFEST}`."
        ) from None
