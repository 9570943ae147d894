"""What is seen while stages run: lines at a steady pace, one live line a job on a terminal, plain lines elsewhere."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from kitchens import ENV, make_world
from taskreason.cli import live_display as watch
from taskreason.cli.live_display import Job, Watch, format_time
from taskreason.durability import progress
from taskreason.durability.progress import LONG, Progress, follow
from taskreason.policies.rules import TeacherPolicy
from taskreason.rollouts.episode import Start, run_episodes

RULES = Path(__file__).resolve().parents[2] / "workflow" / "rules"


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when a test says so."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress._Pace, "printed", 1000.0)

    def wait(seconds):
        now[0] += seconds

    return wait


def test_lines_come_every_ten_seconds_with_the_time_that_is_left(clock, capsys):
    for _ in follow(range(12), "burger", 12, "kitchens"):
        clock(4)
    assert capsys.readouterr().err.splitlines() == [
        "burger: 3/12 kitchens, 36 s left",
        "burger: 6/12 kitchens, 24 s left",
        "burger: 9/12 kitchens, 12 s left",
        "burger: 12/12 kitchens, 0 s left",
    ]


def test_a_part_keeps_quiet_while_the_whole_speaks(clock, capsys):
    whole, part = Progress("episodes", 10, "done"), Progress("replies", 100, "done", LONG)
    for done in range(1, 5):
        clock(11)
        whole.show(done)
        part.show(done)
    assert "replies" not in capsys.readouterr().err
    clock(21)
    part.show(50)
    assert "replies: 50/100" in capsys.readouterr().err


def test_a_rollout_in_which_no_episode_ends_is_not_silent(clock, capsys):
    class Idle(TeacherPolicy):
        def act(self, turns):
            clock(11)
            return ["Thought: x\nAction: Do nothing"] * len(turns)

    starts = [Start(make_world("burger", seed), "burger", None) for seed in range(3)]
    run_episodes(Idle(ENV), starts, timeout=4, batch_size=3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        f"burger: 0/3 episodes, 3 under way at step {n} of at most 4" for n in (1, 2, 3)
    ]
    assert lines[3].startswith("burger: 3/3 episodes, SR so far 0.00")


def write_log(folder, text):
    log = folder / "job.log"
    log.write_text(text)
    return Job("train burger", log)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "starting"),
        ("/x.py:3: UserWarning: this is no progress\n", "starting"),
        ("GRPO: step 1/2, loss 3\nSaving: 100%|███| 1/1 [00:00]\n", "GRPO: step 1/2, loss 3"),
        (
            "Fetching: 20%|█  | 1/5 [00:01]\rFetching: 40%|██ | 2/5 [00:02]",
            "Fetching: 40% 2/5 [00:02]",
        ),
        ("burger: 3/9 kitchens\n" + "x" * 20_000, "starting"),
    ],
)
def test_the_last_word_of_a_log(tmp_path, text, word):
    assert re.sub(" +", " ", write_log(tmp_path, text).read_last()) == word


def test_an_earlier_attempts_log_and_a_missing_one_say_nothing(tmp_path):
    job = write_log(tmp_path, "GRPO: step 9/9\n")
    os.utime(job.log, (job.started - 60, job.started - 60))
    assert job.read_last() == Job("x", tmp_path / "none.log").read_last() == "starting"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.9, "1:15"), (3723, "1:02:03")])
def test_times_for_people(seconds, text):
    assert format_time(seconds) == text


def test_every_running_job_is_told_about_before_half_a_minute(tmp_path, monkeypatch):
    assert watch.PAUSE + 1 < 30
    monkeypatch.setattr(watch, "PAUSE", 0)
    told, enough = [], threading.Event()

    def tell(line):
        told.append(line)
        if len(told) >= 2:
            enough.set()

    follower = Watch(3, tell)
    follower.start(1, "collect burger", write_log(tmp_path, "burger: 5/9 kitchens\n").log)
    follower.start(2, "paper", tmp_path / "none.log")
    follower.run_plain()
    assert enough.wait(20)
    follower.stop()
    assert re.fullmatch(r"collect burger, 0:\d\d: burger: 5/9 kitchens", told[0])
    assert re.fullmatch(r"paper, 0:\d\d: starting", told[1])


def test_the_live_lines_show_running_jobs_only_and_fit_the_terminal(tmp_path):
    long = "burger: 5/9 kitchens, " + "and so on, " * 20
    follower = Watch(3, print)
    follower.start(1, "collect burger", write_log(tmp_path, long).log)
    follower.start(2, "paper", tmp_path / "none.log")
    follower.end(2)
    follower.done = 1
    console = Console(file=io.StringIO(), width=60)
    console.print(follower.draw())
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 60
    assert lines[1].startswith("collect burger    0:00  burger: 5/9") and "1/3 jobs" in lines[2]


WORKFLOW = """
import sys
from pathlib import Path
from types import SimpleNamespace
include: "{rules}/progress.smk"

onstart:
    follow_jobs()

rule all:
    default_target: True
    input: expand("{{n}}.txt", n=[1, 2])

rule work:
    output: "{{n}}.txt"
    log: "{{n}}.log"
    shell: "echo 'cooking: {{wildcards.n}}/7 pots' > {{log}}; until test -e served; do sleep 1; done; touch {{output}}"
"""


@pytest.fixture
def workflow(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(rules=RULES))
    return [sys.executable, "-m", "snakemake", "--cores", "2", "-d", str(tmp_path)] + [
        "-s",
        str(tmp_path / "Snakefile"),
    ]


def test_a_terminal_shows_both_jobs_live_and_all_that_snakemake_says(workflow, tmp_path):
    """The jobs run until both have been seen, however slow the machine is."""
    lines = [rf"work {n} +\d:\d\d  cooking: {n}/7 pots" for n in (1, 2)]
    both = rf"{lines[0]}\s+{lines[1]}|{lines[1]}\s+{lines[0]}"
    main, other = pty.openpty()
    process = subprocess.Popen(
        workflow, stdin=other, stdout=other, stderr=other, env=os.environ | {"TERM": "xterm"}
    )
    os.close(other)
    shown, started = b"", time.monotonic()
    while True:
        if re.search(both, strip_codes(shown)) or time.monotonic() - started > 120:
            (tmp_path / "served").touch()
        try:
            part = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait() == 0
    text = strip_codes(shown)
    assert re.search(both, text)
    assert "0/3 jobs" in text and "3/3 jobs" in text
    assert "Finished jobid" in text and "3 of 3 steps (100%) done" in text


def strip_codes(shown):
    """What a terminal shows, without the codes that move and colour."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


def test_redirected_output_has_no_control_characters(workflow, tmp_path):
    (tmp_path / "served").touch()
    started = time.monotonic()
    done = subprocess.run(workflow, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout and "\r" not in done.stderr
    assert "3 of 3 steps (100%) done" in done.stderr
    assert time.monotonic() - started < 60


def test_a_training_speaks_within_a_step_that_takes_long(clock, capsys, tmp_path):
    from taskreason.training.checkpoints import CurveLog

    log = CurveLog(tmp_path / "grpo.csv", {"loss": "loss", "reward": "reward"}, 1, "GRPO burger")
    args = SimpleNamespace(gradient_accumulation_steps=4, logging_steps=1)
    state = SimpleNamespace(global_step=0, max_steps=2, is_world_process_zero=True)
    for step in (1, 2):
        for _ in range(3):
            clock(11)
            log.on_substep_end(args, state, None)
        state.global_step = step
        log.on_step_end(args, state, None)
        clock(11)
        log.on_log(args, state, None, {"loss": 0.5, "reward": 0.75})
    # A step's own line isn't due where its last part has just spoken; the next part tells what it knew.
    state.max_steps = 3
    log.on_log(args, state, None, {"loss": 0.5, "reward": 0.25})
    clock(11)
    log.on_substep_end(args, state, None)
    *lines, last = capsys.readouterr().err.splitlines()
    assert last.startswith("GRPO burger: step 2.2/3, loss 0.5, reward 0.25, ")
    assert [line.split(",")[0] for line in lines] == [
        f"GRPO burger: step {step}/2" for step in ("0.2", "0.5", "0.8", 1, "1.2", "1.5", "1.8", 2)
    ]
    assert all("loss 0.5, reward 0.75" in line for line in lines[3:])
