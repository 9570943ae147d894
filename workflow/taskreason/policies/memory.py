"""Freed memory that stays with the process.

Every pass of a model asks for the same hundreds of megabytes and frees them again. glibc gives large blocks back to the
system each time, which hands out new pages one by one and zeroes them: of a training on a CPU, that was a third of the
time. What is kept grows with every batch of another length, though, since blocks of many sizes do not fit into each
other's gaps; so what is free and resident is given back once it is more than what is in use.
"""

import ctypes
import os
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in malloc.h."""
LIMITS = {TRIM_THRESHOLD: 2**31 - 1, MMAP_THRESHOLD: 2**30}
"""Bytes: freed memory that is kept at the end of the heap, and blocks that lie outside of it."""
SPARE = 2**30
"""Bytes of freed memory that are kept in any case."""


class _Use(ctypes.Structure):
    """What glibc's mallinfo2 tells, in its order."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def keep_freed_memory() -> None:
    """Let malloc use freed memory again in place of giving it back; nothing where the C library is not glibc."""
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change:
        for parameter, limit in LIMITS.items():
            change(parameter, limit)


def give_back_surplus() -> bool:
    """Return freed memory to the system where it is more than what is in use and :data:`SPARE`; True if it was.

    Nothing where the C library is not a glibc that tells what is in use.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return False
    library.mallinfo2.restype = _Use
    told = library.mallinfo2()
    used = told.uordblks + told.hblkhd
    if count_resident() - used <= used + SPARE:
        return False
    return bool(library.malloc_trim(0))


def count_resident() -> int:
    """Bytes of this process that lie in memory, as Linux tells."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
