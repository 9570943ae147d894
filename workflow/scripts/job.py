"""What every script does around its one library call: threads, a log, checksums, and errors in one sentence.

Everything printed, by Python or below it, goes to the rule's log. A UserError ends the job with its
sentence alone, and so does a machine that runs out of something. Inputs that other jobs have made
must be what these have written, and unfinished work of a killed attempt is taken up where it is of
the same settings and inputs.
"""

import gc
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

# A script may run in an environment of its own (conda, container) that lacks the library.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from taskreason.durability.checksums import (
    NOTE,
    locate_record,
    read_record,
    read_records,
    verify,
    write_record,
)
from taskreason.durability.errors import UserError, explain_machine_error
from taskreason.durability.partial_results import describe_work, take_up

RESULTS = Path("results")
COLLECTION = 50_000
"""New objects after which Python looks for garbage; by its own 700 that takes an eighth of imports."""


@contextmanager
def logged(snakemake):
    """Send the process's output to the rule's log, limit numerical libraries to its threads, and keep checksums."""
    gc.set_threshold(COLLECTION)
    # The libraries read these when they are imported, which happens inside the block.
    for library in ("OMP", "MKL", "OPENBLAS", "RAYON"):
        os.environ[f"{library}_NUM_THREADS"] = str(snakemake.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    terminal = os.dup(2)
    log = os.open(snakemake.log[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    record = locate_record(Path(snakemake.log[0]))
    before = read_record(record)
    # While the job runs, its outputs are nobody's.
    record.unlink(missing_ok=True)
    note = record.with_suffix(NOTE)
    try:
        known = read_records(RESULTS)
        verify(snakemake.input, known)
        params = dict(snakemake.params.items())
        work = describe_work(params, snakemake.input, known)
        checkpoints = Path(params["checkpoints"]) if "checkpoints" in params else None
        for path in take_up(note, work, snakemake.output, checkpoints):
            print(f"{path}: unfinished work of other settings or inputs, removed", flush=True)
        yield
        write_record(snakemake.output, record, snakemake.input, before)
        note.unlink()
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)
    except Exception as error:
        sentence = explain_machine_error(error, RESULTS)
        if sentence is None:
            raise
        os.write(terminal, f"{sentence}\n".encode())
        with suppress(OSError):  # a full disk has no room for the log either
            print(sentence, file=sys.stderr, flush=True)
        # At once: what libraries do at the end of a process fails for want of the same thing.
        os._exit(2)


def configure(snakemake):
    """The job's configuration: with its task's settings, of its seed, and last with what the job itself changes."""
    from taskreason.config.load import load_config

    cfg, params = load_config(snakemake.config), dict(snakemake.params.items())
    if "task" in params:
        cfg = cfg.for_task(params["task"])
    if "seed" in params:
        cfg = cfg.for_seed(params["seed"])
    changes = params.get("changes", {}).items()
    return replace(cfg, **{group: replace(getattr(cfg, group), **own) for group, own in changes})


def folder(files):
    """The folder that holds the files of one model."""
    return Path(files[0]).parent


def by_task(tasks, files):
    """One file a task."""
    return dict(zip(tasks, map(Path, files), strict=True))
