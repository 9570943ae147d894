"""The size of a model, from its files alone."""

import json
import struct
from pathlib import Path

from taskreason.durability.errors import UserError


def count_parameters(folder: Path) -> int:
    """Parameters of a model folder, from the headers of its safetensors files alone."""
    count = 0
    for path in sorted(Path(folder).glob("*.safetensors")):
        with path.open("rb") as file:
            try:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            except (struct.error, ValueError):
                raise UserError(f"{path}: is not a safetensors file; make it again") from None
        for name, tensor in header.items():
            if name != "__metadata__":
                size = 1
                for extent in tensor["shape"]:
                    size *= extent
                count += size
    return count
