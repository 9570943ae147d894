"""What a person sees while jobs run: the last word of each job's log, and how many jobs are done.

On a terminal that is one live line a job and a bar below, under whatever else is printed; elsewhere, one plain line a
job every ``PAUSE`` seconds. Whoever runs the jobs says when one starts and ends; all else is read from the logs.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PAUSE = 25  # seconds between two lines about a job where there is no terminal
TAIL = 8192  # bytes at a log's end in which the last word is looked for
TOLD = re.compile(r"^.*\S: .*?\d/\d+.*$", re.MULTILINE)
"""A line of :mod:`taskreason.durability.progress`, or a bar of somebody else's."""
BAR = re.compile(r"\|.*\|")
"""The drawn part of such a bar, which says least."""


@dataclass
class Job:
    """A running job. name: for people. log: where it writes. told: when a line about it was printed last."""

    name: str
    log: Path
    started: float = field(default_factory=time.time)
    told: float = field(default_factory=time.monotonic)

    def read_last(self) -> str:
        """The last word of the log about progress."""
        try:
            with self.log.open("rb") as file:
                if self.log.stat().st_mtime < self.started - 1:
                    return "starting"  # what stands there is an earlier attempt's
                file.seek(max(0, self.log.stat().st_size - TAIL))
                text = file.read().decode(errors="replace").replace("\r", "\n")
        except OSError:
            return "starting"
        lines = TOLD.findall(text)
        own = [line for line in lines if not BAR.search(line)]
        return BAR.sub("", (own or lines or ["starting"])[-1])

    def describe(self) -> tuple[str, str, str]:
        """Name, time since the start, last word."""
        return self.name, format_time(time.time() - self.started), self.read_last()


def format_time(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Watch:
    """The running jobs, and a thread that tells about them until :meth:`stop`.

    total: jobs of the whole run. tell: prints one line where there is no terminal.
    """

    def __init__(self, total: int, tell: Callable[[str], None]):
        self.total, self.tell, self.done, self.started = total, tell, 0, time.time()
        self.jobs: dict[int, Job] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._live = None

    def start(self, number: int, name: str, log: Path) -> None:
        """A job has started."""
        with self._lock:
            self.jobs[number] = Job(name, log)

    def end(self, number: int) -> None:
        """A job has ended, well or not."""
        with self._lock:
            self.jobs.pop(number, None)

    def run_plain(self) -> None:
        """Begin to tell in plain lines."""
        threading.Thread(target=self._tell_in_lines, daemon=True).start()

    def run_live(self, console) -> None:
        """Begin to draw on a rich console, which takes over what is printed to standard error and output."""
        from rich.live import Live

        options = {"refresh_per_second": 2, "transient": True, "vertical_overflow": "crop"}
        self._live = Live(get_renderable=self.draw, console=console, **options)
        self._live.start()

    def stop(self) -> None:
        """Tell no more, and give the terminal back."""
        self._stopped.set()
        if self._live:
            self._live.stop()

    def list_jobs(self) -> list[Job]:
        """The jobs that run now, the oldest first."""
        with self._lock:
            return list(self.jobs.values())

    def draw(self):
        """The live lines."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        told = [job.describe() for job in self.list_jobs()]
        width = max((len(name) for name, _, _ in told), default=0)
        lines = []
        for name, passed, word in told:
            parts = (name.ljust(width), "bold cyan"), f" {passed:>7}  {word}"
            lines.append(Text.assemble(*parts, no_wrap=True, overflow="ellipsis"))
        bar = ProgressBar(total=self.total, completed=self.done, width=24)
        passed = format_time(time.time() - self.started)
        whole = Table.grid(padding=(0, 1))
        whole.add_row(bar, f"{self.done}/{self.total} jobs, {passed}")
        return Group("", *lines, whole)

    def _tell_in_lines(self) -> None:
        while not self._stopped.wait(1):
            for job in self.list_jobs():
                if time.monotonic() - job.told >= PAUSE:
                    job.told = time.monotonic()
                    name, passed, word = job.describe()
                    self.tell(f"{name}, {passed}: {word}")
