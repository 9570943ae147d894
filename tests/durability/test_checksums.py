"""Checksums of what jobs have made: what counts as damage, and when a file counts as unchanged."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from taskreason.cli.main import main
from taskreason.durability.checksums import (
    find_damage,
    locate_record,
    put_aside,
    read_record,
    read_records,
    verify,
    write_record,
)
from taskreason.durability.errors import UserError

LOG = Path("results/laptop/logs/train_sft/burger.seed1.log")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder in which one job has made two files."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("a.jsonl", b"trajectories"), ("b.bin", bytes(range(256)))):
        Path("results/laptop", name).parent.mkdir(parents=True, exist_ok=True)
        Path("results/laptop", name).write_bytes(content)
    outputs = ["results/laptop/a.jsonl", "results/laptop/b.bin"]
    write_record(outputs, locate_record(LOG), [], {})
    return outputs


def flip(path, place):
    """Turn one bit of a file around and leave its times as they were."""
    state = os.stat(path)
    content = bytearray(Path(path).read_bytes())
    content[place] ^= 4
    Path(path).write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_record_lies_where_the_log_does_and_holds_sha256(made):
    record = Path("results/laptop/checksums/train_sft/burger.seed1.json")
    assert locate_record(LOG) == record
    assert locate_record(Path("results/logs/make_tables.log")) == Path(
        "results/checksums/make_tables.json"
    )
    sums = json.loads(record.read_text())
    assert sums["results/laptop/a.jsonl"]["sha256"] == hashlib.sha256(b"trajectories").hexdigest()
    assert read_records(Path("results")) == sums and list(sums) == made


def test_whatever_changes_a_file_is_damage(made):
    known = read_records(Path("results"))
    verify([*made, "results/nowhere", "README.md"], known)
    flip(made[1], 200)
    assert find_damage(made[1], known) == "its content has changed"
    Path(made[0]).write_bytes(b"traject")
    assert find_damage(made[0], known) == "it has 7 bytes instead of 12"
    with pytest.raises(UserError, match="a.jsonl: the file is not what .*7 bytes.*check --repair"):
        verify(made, known)
    # A missing file is for Snakemake to make; a touched one is the same.
    Path(made[0]).unlink()
    assert find_damage(made[0], known) == ""
    flip(made[1], 200)
    os.utime(made[1])
    verify(made, known)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"results/laptop/a.jsonl": 3}']
)
def test_a_damaged_record_proves_nothing(made, content):
    record = locate_record(LOG)
    record.write_bytes(content)
    assert read_record(record) == {} and read_records(Path("results")) == {}


def test_what_becomes_the_same_again_keeps_its_time(made):
    """Unless an input is newer, which has to count as a reason to run again."""
    record, source = locate_record(LOG), Path("source")
    source.write_text("x")
    os.utime(source, ns=(5, 5))
    for path in made:
        os.utime(path, ns=(10, 10))
    write_record(made, record, ["source"], {})
    before = read_record(record)
    for path in made:
        os.utime(path, ns=(20, 20))
    write_record(made, record, ["source"], before)
    assert [os.stat(path).st_mtime_ns for path in made] == [10, 10]
    assert read_record(record) == before

    os.utime(source, ns=(15, 15))
    for path in made:
        os.utime(path, ns=(20, 20))
    write_record(made, record, ["source"], before)
    assert [os.stat(path).st_mtime_ns for path in made] == [20, 20]
    os.utime(source, ns=(5, 5))
    Path(made[0]).write_text("other")
    os.utime(made[0], ns=(30, 30))
    write_record(made, record, ["source"], before)
    assert [os.stat(path).st_mtime_ns for path in made] == [30, 10]


def test_a_job_on_other_tasks_keeps_the_record_of_what_it_made_before(made):
    """The base model's evaluation, for example, writes one file a task of the run."""
    record = locate_record(LOG)
    before = read_record(record)
    write_record(made[1:], record, [], before)
    assert read_record(record) == before
    Path(made[0]).unlink()
    write_record(made[1:], record, [], before)
    assert list(read_record(record)) == made[1:]


def test_the_command_names_damage_and_puts_it_aside(made, capsys):
    assert main(["check"]) == 0 and capsys.readouterr().out == ""
    flip(made[1], 0)
    assert main(["check"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{made[1]}\n" and "its content has changed." in shown.err
    damaged = Path(made[1]).read_bytes()
    assert main(["check", "--repair"]) == 0
    assert "kept as results/laptop/b.bin.damaged" in capsys.readouterr().err
    assert not Path(made[1]).exists() and Path(f"{made[1]}.damaged").read_bytes() == damaged
    # Until the next run has made it, it is missing.
    assert main(["check"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{made[1]}\n" and f"{made[1]}: it is missing." in shown.err


def test_the_command_names_checksums_that_are_damaged_themselves(made, capsys):
    other = locate_record(Path("results/laptop/logs/train_grpo/burger.log"))
    for content in (b"", b"[]", b'{"results/laptop/b.bin": {}}', b"\xff"):
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(content)
        for options in ([], ["--repair"]):
            assert main(["check", *options]) == 1
            assert f"{other}: these checksums can't be read" in capsys.readouterr().err
    other.write_text("{}")  # of a job without files
    other.with_suffix(".unfinished.json").write_text('{"work": "of a job that runs"}')
    assert main(["check"]) == 0


def test_a_folder_without_checksums_is_no_proof(tmp_path, monkeypatch, capsys, made):
    assert main(["check", "elsewhere"]) == 2
    assert "nothing that a job has left checksums of" in capsys.readouterr().err
    for path in made:
        put_aside(path)
    assert main(["check"]) == 2


def test_a_renamed_run_says_nothing_of_the_one_that_took_its_name(made):
    """Until there is one, it does; and of files outside of all runs it always does."""
    table = "results/tables/main.csv"
    Path(table).parent.mkdir()
    Path(table).write_bytes(b"policy,sr")
    write_record([table], locate_record(Path("results/laptop/logs/make_table.log")), [], {})
    before = read_records(Path("results"))
    os.replace("results/laptop", "results/kept")
    assert read_records(Path("results")) == before
    Path("results/laptop").mkdir()
    Path(made[0]).write_bytes(b"of other settings")
    write_record(made[:1], locate_record(LOG), [], {})
    known = read_records(Path("results"))
    assert known.keys() == {made[0], table} and known[made[0]] != before[made[0]]
    verify(made, known)
