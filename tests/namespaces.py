"""Namespaces of Linux's, where this machine allows them: mounts of one's own, and a world without a network."""

import shutil
import subprocess

import pytest


def can_unshare(*spaces):
    command = ["unshare", *spaces, "true"]
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(command, capture_output=True).returncode == 0
    )


NETLESS = ["--net", "--map-root-user"]
WITHOUT_NETWORK = ["unshare", *NETLESS] if can_unshare(*NETLESS) else []
"""Before a command: it sees no network but a loopback that is down. The whole run of test_smoke.py goes through it."""
needs_no_network = pytest.mark.skipif(
    not WITHOUT_NETWORK, reason="network namespaces are not allowed here"
)
