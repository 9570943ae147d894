"""Freed memory stays with the process until it is much more than a pass needs."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from taskreason.policies import memory

PROGRAM = """
from taskreason.policies.memory import Surplus, count_resident, keep_freed_memory
import torch

keep_freed_memory()
surplus, between = Surplus(), []


def work(megabytes):
    blocks = [torch.ones(megabytes, 2**18) for _ in range(8)]  # a row is a mebibyte
    between.append(torch.ones(2**10))  # lies behind them, so that the heap does not end with what is freed
    del blocks
    kept = count_resident()
    given = surplus.give_back()
    print(kept >> 20, int(given), (kept - count_resident()) >> 20)


for megabytes in (0, {megabytes}, {megabytes}, {megabytes}):
    work(megabytes)
"""


def watch(megabytes: int) -> list[tuple[int, ...]]:
    """Of each pass: MiB that are resident after it, whether memory was given back, and how much."""
    program = PROGRAM.format(megabytes=megabytes)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from Linux")
def test_much_that_is_free_is_given_back_until_it_is_known_to_be_needed():
    nothing, first, second, third = watch(100)
    assert nothing[1] == 0
    assert first[1] == 1 and first[2] > 700, "unlike what was known of before"
    assert second[1] == 0, "a pass from fresh memory tells what is needed"
    assert third[0] - second[0] < 400, "most blocks that were freed are used again"


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from Linux")
def test_little_that_is_free_is_kept():
    assert [given for _, given, _ in watch(10)] == [0, 0, 0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from Linux")
@pytest.mark.parametrize("resident, given", [(2**30, False), (2**32, True)])
def test_between_two_kinds_of_work_a_large_process_gives_everything_back(
    monkeypatch, resident, given
):
    """Whatever it is known to need: a gigabyte that is free leaves, and the next pass tells anew."""
    surplus = memory.Surplus()
    surplus.needed, surplus.fresh = 2**40, False
    asked = []
    monkeypatch.setattr(memory, "count_resident", lambda: resident)
    monkeypatch.setattr(
        memory.ctypes, "CDLL", lambda name: SimpleNamespace(malloc_trim=asked.append)
    )
    surplus.give_all_back()
    assert (asked == [0]) == given == surplus.fresh
    assert not surplus.give_back(), "it is not more than is needed"
