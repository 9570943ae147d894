"""The table of mutations names code and tests that are there; benchmarks/mutations.py tells whether they notice."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = runpy.run_path(str(ROOT / "benchmarks" / "mutations.py"))


@pytest.mark.parametrize("mutation", TABLE["MUTATIONS"], ids=lambda mutation: mutation.name)
def test_what_a_mutation_breaks_and_who_should_notice_are_there(mutation):
    code = (ROOT / TABLE["LIBRARY"] / mutation.file).read_text()
    for old, new in mutation.changes:
        assert old in code and new != old
    for test in mutation.tests.split():
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text()
