"""The gallery's page: template, style and programs from the folder templates and from the environment, and the data.

The file opens from disk and asks no other file for anything: style and programs stand in it, and each task's data as
compressed JSON, which the browser unpacks when the task is chosen.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from taskreason.environments.base import Environment
from taskreason.report.gallery.records import SOURCES, PlainGallery
from taskreason.report.gallery.tasks import collect_task
from taskreason.report.labels import POLICIES, label_policy, task_title


def write_gallery(
    environment: Environment,
    root: Path,
    scale: str,
    timeouts: Mapping[str, int],
    limit: int,
    output: Path,
) -> None:
    """Write the page on the results in ``root`` with at most ``limit`` worlds a task; timeouts: of each task."""
    about = {
        "scale": scale,
        "world": environment.worlds.removesuffix("s"),
        "worlds": environment.worlds,
        "tasks": {
            task: {"title": task_title(task), "timeout": steps} for task, steps in timeouts.items()
        },
        "policies": {policy: label_policy(policy) for policy in POLICIES},
    }
    tasks = tuple(timeouts)
    data = {task: collect_task(environment, root, task, tasks, limit) for task in tasks}
    output.write_text(make_page(environment, about, data), encoding="utf-8")


def make_page(environment: Environment, about: Mapping, data: Mapping[str, Mapping]) -> str:
    """The whole page as text; equal data gives equal bytes."""
    gallery = environment.gallery or PlainGallery()
    styles = [SOURCES / "style.css", *([gallery.style] if gallery.style else [])]
    programs = [SOURCES / "episodes.js", *gallery.programs, SOURCES / "page.js"]
    blobs = "\n".join(
        f'<script type="application/gzip" id="data-{task}">{_pack(values)}</script>'
        for task, values in data.items()
    )
    return Template((SOURCES / "page.html").read_text("utf-8")).substitute(
        about,
        style="\n".join(path.read_text("utf-8") for path in styles),
        program="\n".join(path.read_text("utf-8") for path in programs),
        # Inside a script, only "</" could end it.
        about=json.dumps(about | gallery.about()).replace("</", "<\\/"),
        data=blobs,
    )


def _pack(values: Mapping) -> str:
    text = json.dumps(values, separators=(",", ":"))
    # A date in the header would make every build differ.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
