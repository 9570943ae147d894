"""The gallery's page: template, style and program from the folder templates, and the data of every task.

The file opens from disk and asks no other file for anything: style and program stand in it, and each task's data as
compressed JSON, which the browser unpacks when the task is chosen.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from taskreason.environments.robotouille.simulator.domain import CUTS, TICKS
from taskreason.environments.robotouille.simulator.observation import EFFECT_WORDS, FLAG_WORDS
from taskreason.report.gallery.tasks import collect_task
from taskreason.report.labels import POLICIES, POLICY_LABELS, task_title

SOURCES = Path(__file__).with_name("templates")
PROGRAM = ("episodes.js", "items.js", "drawing.js", "page.js")


def write_gallery(
    root: Path,
    scale: str,
    tasks: Sequence[str],
    timeouts: Mapping[str, int],
    limit: int,
    output: Path,
) -> None:
    """Write the page on results/SCALE (``root``) with at most ``limit`` kitchens a task."""
    about = {
        "scale": scale,
        "tasks": {task: {"title": task_title(task), "timeout": timeouts[task]} for task in tasks},
        "policies": {policy: POLICY_LABELS[policy] for policy in POLICIES},
        "flags": {int(flag): word for flag, word in FLAG_WORDS.items()},
        "timers": EFFECT_WORDS,
        "ticks": TICKS,
        "cuts": CUTS,
    }
    data = {task: collect_task(root, task, tasks, limit) for task in tasks}
    output.write_text(make_page(about, data), encoding="utf-8")


def make_page(about: Mapping, data: Mapping[str, Mapping]) -> str:
    """The whole page as text; equal data gives equal bytes."""
    blobs = "\n".join(
        f'<script type="application/gzip" id="data-{task}">{_pack(values)}</script>'
        for task, values in data.items()
    )
    return Template(_read("page.html")).substitute(
        style=_read("style.css"),
        program="\n".join(map(_read, PROGRAM)),
        # Inside a script, only "</" could end it.
        about=json.dumps(about).replace("</", "<\\/"),
        scale=about["scale"],
        data=blobs,
    )


def _read(name: str) -> str:
    return (SOURCES / name).read_text(encoding="utf-8")


def _pack(values: Mapping) -> str:
    text = json.dumps(values, separators=(",", ":"))
    # A date in the header would make every build differ.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
