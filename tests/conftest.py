"""The order of the tests, the longest file first, so that others run beside it; and a fixture that several share."""

import io

import pytest


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != "test_smoke.py")


@pytest.fixture
def call(capsys, monkeypatch):
    """Run one command of `taskreason` with this standard input: (exit status, stdout, stderr)."""
    from taskreason.cli.main import main

    def run(*argv, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(list(argv))
        return status, *capsys.readouterr()

    return run
