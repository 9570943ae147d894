"""Remove the lock that a killed run left in this project, never one that a running one holds."""

import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]


def is_snakemake(words: list[str]) -> bool:
    """Whether a command line is that of Snakemake or of one of its jobs."""
    started = "snakemake" in [Path(word).name for word in words[:2]]
    return started or words[1:3] == ["-m", "snakemake"] or "/.snakemake/scripts/" in " ".join(words)


def find_running() -> int | None:
    """Process id of a Snakemake, or of a job that outlived one, that works in this project."""
    for process in psutil.process_iter():
        try:
            if is_snakemake(process.cmdline()) and Path(process.cwd()) == ROOT:
                return process.pid
        except psutil.Error:  # ended meanwhile, or another user's
            continue
    return None


def main() -> None:
    locks = ROOT / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return
    if running := find_running():
        sys.exit(f"Snakemake already runs here (process {running}); wait for it or stop it.")
    print("Removing the lock of a run that was killed.", file=sys.stderr)
    command = [
        sys.executable,
        "-I",
        "-X",
        "utf8",
        str(ROOT / "envs" / "run_snakemake.py"),
        "--unlock",
        "--quiet",
    ]
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
