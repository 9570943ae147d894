"""What is said to a person in one sentence, never a traceback: what they can fix, and what the machine runs out of."""

import errno
import os
import resource
import shutil
from pathlib import Path

LONGEST_QUOTE = 120
ROOM = 1 << 20
"""Bytes; with less than these, whatever fails, fails for want of room."""
LAST_MEMORY = 1 << 26
"""Bytes of address space; below, whatever fails, fails for want of memory."""
OUT_OF_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "out of memory", "bad_alloc"),
    "failed to map segment",  # a library that could not be loaded
)


class UserError(Exception):
    """Something a user can fix; the message is one sentence naming the file, the key and the fix."""


def clip(text: str) -> str:
    """What a message quotes of its input, cut where that would drown the message."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def quote(value: object) -> str:
    """A value as a message shows it."""
    return clip(repr(value))


def explain_machine_error(error: BaseException, folder: Path) -> str | None:
    """One sentence for an error of the machine, None for any other; folder: where the results are."""
    number = error.errno if isinstance(error, OSError) else None
    temporary = Path(os.environ.get("TMPDIR", ""))
    full, short = _is_full(folder), temporary.is_absolute() and _is_full(temporary)
    if number == errno.ENOSPC and short and not full:
        return (
            f"TMPDIR ({temporary}): there is no room left for temporary files; make room or set TMPDIR to a folder "
            "with room, and start the run again, which goes on where it stopped."
        )
    if full or number in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{folder}: there is no room left on the disk; make room and start the run again, which goes on where it "
            "stopped."
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"{clip(str(error.filename))}: this place can't be written or read ({os.strerror(number)}); allow it, or "
            "run from a folder of your own, and start the run again."
        )
    short = number == errno.ENOMEM or isinstance(error, MemoryError)
    if short or _is_at_limit() or any(words in str(error).lower() for words in OUT_OF_MEMORY):
        return (
            "there is not enough memory for the job; allow it more (resources.mem_mb on a cluster) or lower "
            "sft.micro_batch, grpo.micro_batch or rollout.batch_size, and start the run again."
        )
    return None


def check_writable(folder: Path) -> None:
    """Raise UserError where results can't be written."""
    if folder.is_symlink() and not folder.exists():
        raise UserError(
            f"{folder}: it is a link to {os.readlink(folder)}, which is not there; make that folder, or remove the "
            "link and results are kept here."
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"{folder}: it is a file where the folder of the results belongs; rename it, or run from a folder of your "
            "own (snakemake --directory FOLDER)."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(explain_machine_error(error, folder) or f"{folder}: {error}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(
            f"{folder}: results can't be written there; allow it, or run from a folder of your own "
            "(snakemake --directory FOLDER)."
        )


def _is_full(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free < ROOM


def _is_at_limit() -> bool:
    """Whether this process has taken all the address space that `ulimit -v` or a scheduler allows it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return False
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, MemoryError):  # no such file on this system, or not even memory to read it
        return False
    return limit - pages * resource.getpagesize() < LAST_MEMORY
