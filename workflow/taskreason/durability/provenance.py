"""Provenance: with what an artifact was made, written as JSON next to it.

Packages are read through their metadata, so that a light stage can call it without importing torch.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from taskreason.durability.files import write_json

PACKAGES = (
    *("taskreason", "torch", "transformers", "trl", "accelerate", "datasets", "tokenizers"),
    *("safetensors", "numpy", "pandas"),
)
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
VECTOR_INSTRUCTIONS = ("avx2", "avx512f", *BF16_INSTRUCTIONS)


def write_provenance(path: Path, config: Mapping, seed: int, wall_seconds: float) -> None:
    """Write the provenance of one artifact to `path`, atomically; config: resolved, as plain values."""
    record = {
        "config": dict(config),
        "seed": seed,
        **describe_versions(),
        "hardware": describe_hardware(),
        "wall_seconds": round(wall_seconds, 3),
    }
    write_json(path, record)


def describe_versions() -> dict[str, Any]:
    """Versions of Python and of what can change a number, and the checkout's commit."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {"versions": versions, "commit": _find_commit()}


def describe_hardware() -> dict[str, Any]:
    """Processor, its vector instructions, cores, memory (GiB) and GPUs of this machine, as far as the system tells."""
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    torch = sys.modules.get("torch")
    gpus = range(torch.cuda.device_count()) if torch else ()
    return {
        "machine": platform.machine(),
        "processor": _read_cpuinfo("model name") or platform.processor(),
        "instructions": list_instructions(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages * page_size / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(index) for index in gpus],
    }


def name_machine(hardware: Mapping[str, Any]) -> str:
    """A machine by what :func:`describe_hardware` says of it: "some processor (avx2 avx512f)"."""
    instructions = " ".join(hardware.get("instructions", ()))
    return hardware["processor"] + (f" ({instructions})" if instructions else "")


def name_arithmetic(hardware: Mapping[str, Any]) -> str:
    """What a machine trains in: 'bf16' where its processor or GPU multiplies that in hardware, else 'fp32'."""
    fast = hardware.get("gpus") or not set(BF16_INSTRUCTIONS).isdisjoint(
        hardware.get("instructions", ())
    )
    return "bf16" if fast else "fp32"


def list_instructions() -> list[str]:
    """The vector instructions that decide how fast a CPU trains, of those that this processor has."""
    flags = (_read_cpuinfo("flags") or "").split()
    return [name for name in VECTOR_INSTRUCTIONS if name in flags]


def _read_cpuinfo(key: str) -> str | None:
    """The first value of a key in Linux's description of the processor; None on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    values = (line.split(":", 1)[1].strip() for line in lines if line.startswith(key))
    return next(values, None)


def _find_commit() -> str | None:
    """The checkout's commit, with "+" where tracked files differ; None outside a checkout."""
    git = ["git", "-C", Path(__file__).resolve().parents[3]]
    describe = [*git, "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        told = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()
