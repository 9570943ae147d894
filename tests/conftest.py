"""The order of the tests, the longest file first, so that others run beside it; and a fixture that several share."""

import io

import pytest

LONG = (
    "test_smoke.py",
    "test_second_environment.py",
    "test_docs.py",
    "test_installation.py",
    "test_planner.py",
    "test_chat_models.py",
    "test_workflow.py",
    "test_fuzz.py",
    "test_own_tasks.py",
    "test_damage.py",
)
"""Files that take minutes, the longest first."""


def pytest_collection_modifyitems(items):
    """Long files come first, so that no core waits for the last of them."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture
def call(capsys, monkeypatch):
    """Run one command of `taskreason` with this standard input: (exit status, stdout, stderr)."""
    from taskreason.cli.main import main

    def run(*argv, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(list(argv))
        return status, *capsys.readouterr()

    return run
