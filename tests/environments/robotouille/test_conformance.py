"""Recorded traces of the reference simulator, where they lie beside the checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFORMANCE = Path(__file__).resolve().parents[4] / "shared" / "conformance"


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="no recorded traces beside the checkout")
def test_the_simulator_and_the_planner_agree_with_the_recorded_traces():
    check = subprocess.run(
        [
            sys.executable,
            CONFORMANCE / "check.py",
            "--cmd",
            f"{sys.executable} -m taskreason.cli.main",
        ],
        capture_output=True,
        text=True,
    )
    assert check.returncode == 0, check.stdout + check.stderr
    assert check.stdout.count(" 0 differ") == len(list(CONFORMANCE.glob("*.jsonl.gz")))
