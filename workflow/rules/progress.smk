# What is seen while jobs run: lines from their logs, and a bar on a terminal. Snakemake's messages say which jobs run.
import logging

from taskreason.cli.live_display import Watch


class FollowJobs(logging.Handler):
    """Passes on from Snakemake's messages which jobs start and end."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == "job_info" and record.log:
            name = " ".join(filter(None, [record.rule_name, *record.wildcards.values()]))
            self.watch.start(record.jobid, name, Path(record.log[0]))
        elif event in ("job_finished", "job_error"):
            self.watch.end(record.job_id if event == "job_finished" else record.jobid)
        elif event == "progress":
            self.watch.done, self.watch.total = record.done, record.total

    def close(self):
        self.watch.stop()
        super().close()


def make_console():
    """A terminal to draw on; None where there is none, or where Snakemake runs without the library for it."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(stderr=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def follow_jobs():
    """Begin to show the jobs of the run that is about to start."""
    if workflow.output_settings.quiet:
        return
    watch = Watch(len(list(workflow.dag.needrun_jobs())), logger.info)
    logger.addHandler(FollowJobs(watch))
    console = make_console()
    if console is None:
        watch.run_plain()
        return
    watch.run_live(console)
    # Snakemake's own lines go through the drawing, which puts them above itself.
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream.isatty():
            handler.setStream(sys.stderr)
