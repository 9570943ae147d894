"""Freed memory that stays with the process.

Every pass of a model asks for the same hundreds of megabytes and frees them again. glibc gives large blocks back to the
system each time, which hands out new pages one by one and zeroes them: of a training on a CPU, that was a third of the
time.
"""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in malloc.h."""
LIMITS = {TRIM_THRESHOLD: 2**31 - 1, MMAP_THRESHOLD: 2**30}
"""Bytes: freed memory that is kept at the end of the heap, and blocks that lie outside of it."""


def keep_freed_memory() -> None:
    """Let malloc use freed memory again in place of giving it back; nothing where the C library is not glibc."""
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change:
        for parameter, limit in LIMITS.items():
            change(parameter, limit)
