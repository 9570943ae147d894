"""What is truncated, has one bit flipped or is missing: noticed before it is used, named, and it alone is made again.

Everything is written and read as jobs do it: by the scripts' own frame, the collector, the trainer and the rollouts, on
few worlds and the smallest model. What Snakemake adds, that a missing output is made by its rule,
tests/workflow/test_smoke.py shows on a whole run. What the project comes with is damaged
in tests/durability/test_bundled_files.py.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kitchens import ENV
from taskreason.cli.main import main
from taskreason.config.load import load_config
from taskreason.durability.partial_results import PartialResults
from taskreason.policies.prompt import choose_format
from taskreason.policies.rules import TeacherPolicy
from taskreason.policies.transformers import load_model
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds
from taskreason.rollouts.episode import rollout_to_file
from taskreason.rollouts.metrics import read_episodes
from taskreason.training.base_model import install_base
from taskreason.training.checkpoints import CurveLog
from taskreason.training.sft import train_sft
from training_files import files_in

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
from job import logged  # noqa: E402

TASK, TIMEOUT, EPISODES = "cheese_sandwich", 15, 6
SMOKE = load_config({"scale": "smoke"})
CFG = replace(
    SMOKE,
    worlds=replace(SMOKE.worlds, training=8, evaluation=EPISODES),
    expert=replace(SMOKE.expert, trajectories=3),
    sft=replace(SMOKE.sft, epochs=1, batch_size=4, save_steps=2, rehearsal=0.0),
)
DAMAGES = ("truncated", "flipped", "missing")
OUT = Path("results/smoke")
TRAIN, EVAL = OUT / "worlds/train.jsonl", OUT / "worlds/eval.jsonl"
DECISIONS, SUMMARY = OUT / "trajectories/decisions.jsonl", OUT / "trajectories/summary.json"
BASE = OUT / "models/base"
WEIGHTS = [
    BASE / name
    for name in (
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    )
]
ROLLOUTS = OUT / "episodes/expert.jsonl"


@dataclass(frozen=True)
class Job:
    """What a rule says of one of its jobs, and what its script calls."""

    inputs: list[Path]
    outputs: list[Path]
    call: Callable[[], object]


def roll_out(policy=None):
    starts = load_starts(TASK, EVAL, ENV)
    return rollout_to_file(policy or TeacherPolicy(ENV), starts, TIMEOUT, 1, ROLLOUTS)


JOBS = {
    "make_training_worlds": Job([], [TRAIN], lambda: make_worlds(TASK, "train", CFG, TRAIN)),
    "make_evaluation_worlds": Job(
        [TRAIN], [EVAL], lambda: make_worlds(TASK, "eval", CFG, EVAL, [TRAIN])
    ),
    "collect": Job(
        [TRAIN], [DECISIONS, SUMMARY], lambda: collect(TASK, CFG, TRAIN, DECISIONS, SUMMARY)
    ),
    "prepare_base": Job(
        [], WEIGHTS, lambda: install_base(ENV.data / "base_models/tiny", BASE, choose_format(CFG))
    ),
    "evaluate": Job([EVAL], [ROLLOUTS], roll_out),
}
READERS = {
    "trajectories": Job([DECISIONS], [], lambda: load_decisions(DECISIONS)),
    "weights": Job(WEIGHTS, [], lambda: load_model(BASE)),
    "layouts": Job([EVAL], [], lambda: load_starts(TASK, EVAL, ENV)),
    "episodes": Job([ROLLOUTS], [], lambda: read_episodes(ROLLOUTS)),
}
DAMAGED = {
    "trajectories": DECISIONS,
    "weights": BASE / "model.safetensors",
    "layouts": EVAL,
    "episodes": ROLLOUTS,
}


@contextmanager
def own_output():
    """A job sends this process's output to its log for good; here others come after it."""
    saved = os.dup(1), os.dup(2)
    try:
        with (
            open(1, "w", closefd=False) as out,
            open(2, "w", closefd=False) as err,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            yield
    finally:
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)


def do(name, job):
    """Run a job as its script does; the status that it ends with, and its log."""
    log = OUT / f"logs/{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    rule = SimpleNamespace(
        log=[str(log)],
        threads=1,
        input=[*map(str, job.inputs)],
        output=[*map(str, job.outputs)],
        params={"name": name},
    )
    status = 0
    with own_output():
        try:
            with logged(rule):
                job.call()
        except SystemExit as end:
            status = end.code
    return status, log.read_text()


def harm(path, damage):
    """Damage a file as a failing disk does: its times stay as they were."""
    content, state = bytearray(path.read_bytes()), path.stat()
    if damage == "missing":
        path.unlink()
        return
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flipped" else path.read_bytes()[: len(content) // 2])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def take_stock():
    """Content and time of every result."""
    found = (path for job in JOBS.values() for path in job.outputs)
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that is complete."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, job in JOBS.items():
            assert do(name, job)[0] == 0
        for name, job in READERS.items():
            assert do(name, job)[0] == 0
    return folder


@pytest.fixture
def results(finished, tmp_path, monkeypatch):
    """A copy of its own for each test."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "run"))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", READERS)
def test_a_damaged_result_is_named_before_it_is_used_and_it_alone_is_made_again(
    results, capsys, part, damage
):
    path, whole = DAMAGED[part], take_stock()
    harm(path, damage)
    status, log = do("reader", READERS[part])
    *_, sentence = log.splitlines()
    named = path.parent if (part, damage) == ("weights", "missing") else path
    assert status == 2 and "Traceback" not in log and sentence.startswith(f"{named}: ")
    if damage != "missing":
        assert "is not what the run has written" in sentence and "taskreason check" in sentence

    assert main(["check"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{path}\n" and shown.err.count("\n") == 1
    assert main(["check", "--repair"]) == 0 and not path.exists()
    made = [name for name, job in JOBS.items() if not all(p.exists() for p in job.outputs)]
    assert len(made) == 1
    assert do(made[0], JOBS[made[0]])[0] == 0
    # The same again, with the same times: nothing that was made from it is out of date.
    assert take_stock() == whole and main(["check"]) == 0
    assert do("reader", READERS[part])[0] == 0


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("damage", [None, *DAMAGES])
def test_of_half_made_rollouts_the_damaged_episodes_alone_are_played_again(
    results, monkeypatch, damage
):
    whole = take_stock()
    hashes = [start.world.id for start in load_starts(TASK, EVAL, ENV)]
    ROLLOUTS.unlink()

    def play(ended):
        """The ids of the worlds that are played by a rollout that is killed after so many episodes, and its log."""
        policy, asked = TeacherPolicy(ENV), []

        def act(turns, answer=policy.act):
            for turn in turns:
                if turn.world.id not in asked:
                    if len(asked) == ended:
                        raise Killed
                    asked.append(turn.world.id)
            return answer(turns)

        policy.act = act
        job = replace(JOBS["evaluate"], call=lambda: roll_out(policy))
        return asked, do("evaluate", job)[1]

    with pytest.raises(Killed):
        play(4)
    partial = ROLLOUTS.with_name("expert.jsonl.partial")
    lines = partial.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    if damage:
        # In the third of four lines; the fourth is cut off with it, or not.
        start = sum(map(len, lines[:2]))
        content = bytearray(partial.read_bytes())
        content[start + 300] ^= 1
        partial.write_bytes(content if damage == "flipped" else content[: start + 300])
    if damage == "missing":
        partial.unlink()
    asked, log = play(EPISODES + 1)
    again = {None: [], "flipped": [2], "truncated": [2, 3], "missing": [0, 1, 2, 3]}[damage]
    assert asked == [hashes[n] for n in (*again, *range(4, EPISODES))]
    named = re.findall(rf"^{partial}:(\d+): damaged, .* made anew$", log, re.MULTILINE)
    assert named == (["3"] if damage in ("flipped", "truncated") else [])
    assert ("episodes found, going on" in log) == (damage != "missing")
    assert {p: content for p, (content, _) in take_stock().items()} == {
        p: content for p, (content, _) in whole.items()
    }
    assert not partial.exists()


def test_no_bit_and_no_end_of_half_made_work_can_change_unnoticed(tmp_path):
    """Whatever bit is flipped and wherever the file ends, what is read is what was written, a line less or two."""
    partial, rows = PartialResults(tmp_path / "a.partial", "settings"), [{"n": n} for n in range(3)]
    partial.begin(rows[:1])
    partial.add(*rows[1:])
    content = partial.path.read_bytes()
    assert partial.read() == rows and PartialResults(partial.path, "others").read() == []
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            partial.path.write_bytes(flipped)
            found = partial.read()
            # A line break that is none any more joins two lines.
            assert found == [row for row in rows if row in found] and len(found) in (1, 2), place
        partial.path.write_bytes(content[:place])
        whole = content[:place].count(b"\n")
        assert partial.read() in (rows[:whole], rows[: whole + 1])


@pytest.fixture(scope="module")
def trained(finished, tmp_path_factory):
    """The weights of an undisturbed SFT, and what one leaves that is killed near its end."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished)
        weights, _ = train(folder / "whole")
        original = CurveLog.on_log

        def die(self, args, state, control, **kwargs):
            original(self, args, state, control, **kwargs)
            if state.global_step == state.max_steps:
                raise Killed

        patch.setattr(CurveLog, "on_log", die)
        with pytest.raises(Killed):
            train(folder / "killed")
    return weights, folder / "killed"


def train(out):
    files = files_in(out, DECISIONS, BASE)
    train_sft(TASK, CFG, files)
    return (files.model / "model.safetensors").read_bytes(), files.curve.read_text()


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (None, None),
        ("truncated", "model.safetensors"),
        ("flipped", "optimizer.pt"),
        ("missing", "rng_state.pth"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_training_alone_is_done_again(
    results, trained, tmp_path, capsys, damage, name
):
    """Every file of a checkpoint is damaged in tests/training/test_checkpoints.py; here the trainer itself resumes."""
    (weights, killed), whole = trained, take_stock()
    shutil.copytree(killed, tmp_path / "out")
    (checkpoint,) = (tmp_path / "out/checkpoints").glob("checkpoint-*")
    if damage:
        harm(checkpoint / name, damage)
    resumed, curve = train(tmp_path / "out")
    shown = capsys.readouterr().out
    if damage:
        assert f"SFT {TASK}: {checkpoint} is damaged ({name}: it" in shown
        assert "resuming" not in shown
    else:
        assert f"resuming from {checkpoint}" in shown and "is damaged" not in shown
    assert resumed == weights and take_stock() == whole
    steps = [int(line.split(",")[0]) for line in curve.splitlines()[1:]]
    assert steps == [*range(1, len(steps) + 1)] and len(steps) > CFG.sft.save_steps
