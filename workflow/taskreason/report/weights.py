"""The size of a model, from its files alone."""

from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from taskreason.durability.errors import UserError


def count_parameters(folder: Path) -> int:
    """Parameters of a model folder; of its safetensors files only the headers are read."""
    count = 0
    for path in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(path, "numpy") as file:
                shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        except (SafetensorError, OSError):
            raise UserError(f"{path}: is not a safetensors file; make it again") from None
        count += sum(map(prod, shapes))
    return count
