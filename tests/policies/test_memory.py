"""Freed memory stays with the process as long as there is little of it."""

import subprocess
import sys

import pytest

PROGRAM = """
from taskreason.policies.memory import SPARE, count_resident, give_back_surplus, keep_freed_memory
import torch
keep_freed_memory()
held = [torch.ones({megabytes}, 2**18) for _ in range(8)]  # a row is a mebibyte
last = torch.ones(2**10)  # lies behind them, so that the heap does not end with what is freed
before = count_resident()
del held
kept = count_resident()
given = give_back_surplus()
print((before - kept) >> 20, given, (before - count_resident()) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from Linux")
@pytest.mark.parametrize(("megabytes", "gives"), [(240, True), (24, False)])
def test_freed_memory_is_given_back_once_it_is_much(megabytes, gives):
    program = PROGRAM.format(megabytes=megabytes)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    kept, given, fell = done.stdout.split()
    assert (int(kept) < megabytes, given) == (True, str(gives))
    assert (int(fell) > 7 * megabytes) == gives
