"""Freed memory that stays with the process.

Every pass of a model asks for the same hundreds of megabytes and frees them again. glibc gives large blocks back to the
system each time, which hands out new pages one by one and zeroes them: of a training on a CPU, that was a third of the
time. What is kept grows with every batch of another length, though, since blocks of many sizes do not fit into each
other's gaps; so all that is free is given back once much more is resident than a pass needs.
"""

import ctypes
import os
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in malloc.h."""
LIMITS = {TRIM_THRESHOLD: 2**31 - 1, MMAP_THRESHOLD: 2**30}
"""Bytes: freed memory that is kept at the end of the heap, and blocks that lie outside of it."""
GROWTH, SPARE = 1.05, 2**27
"""How much more than a pass needs may be resident, as a multiple and in bytes besides."""
LARGE = 2**31
"""Bytes of a process for which new pages cost little beside its work."""


def keep_freed_memory() -> None:
    """Let malloc use freed memory again in place of giving it back; nothing where the C library is not glibc."""
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change:
        for parameter, limit in LIMITS.items():
            change(parameter, limit)


class Surplus:
    """What is resident beyond the needs of a pass; one for a process, asked between two passes.

    needed: the most bytes that were resident after a first pass since all that was free had been given back.
    """

    def __init__(self):
        self.needed, self.fresh = 0, True

    def give_back(self) -> bool:
        """Return all that is free to the system where much more is resident than a pass needs; True if it was."""
        resident = count_resident()
        if self.fresh:
            self.needed, self.fresh = max(self.needed, resident), False
        return resident > GROWTH * self.needed + SPARE and self._trim()

    def give_all_back(self) -> bool:
        """The same where work of another kind follows, to which blocks of these sizes are of no use."""
        return count_resident() > LARGE and self._trim()

    def _trim(self) -> bool:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self.fresh = True
        return bool(trim and trim(0))


SURPLUS = Surplus()
"""That of this process."""


def count_resident() -> int:
    """Bytes of this process that lie in memory, as Linux tells; 0 elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
