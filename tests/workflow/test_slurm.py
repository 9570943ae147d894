"""The workflow on a real SLURM of one node with two fake GPUs, which tests/slurm/up.sh starts.

They take a quarter of an hour and start daemons as root, so they run only when asked for, which CI never does:

    TASKREASON_SLURM_TESTS=1 python -m pytest tests/workflow/test_slurm.py

With slurmdbd and mariadbd installed, sacct's accounting is compared as well.
torch sees no GPU on the fake ones, so jobs that hold one train on the CPU.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from test_workflow import count_jobs, read_rules, run_snakemake

ROOT = Path(__file__).resolve().parents[2]
UP, DOWN = (ROOT / "tests" / "slurm" / name for name in ("up.sh", "down.sh"))
PROFILE = ROOT / "profiles" / "slurm"
ACCOUNTING = all(map(shutil.which, ["slurmdbd", "mariadbd", "mariadb-install-db"]))
LONG_SFT = "sft={epochs: 8, save_steps: 4}"
"""SFT of about seventy steps at the smoke scale: long enough to be caught in the middle."""
WHOLE = [
    "base={rebuild: true, compare: [bundled:base_models/small]}",
    "report={theory: true, ablations: true}",
    "sweep={grpo_learning_rate: [0.0002]}",
]
"""With these, and the targets beside the default one, every rule has work."""
TARGETS = ("all", "sweep")
ON_GPU = "build_base|train_|evaluate_(?!rules)|probe_|measure_|ablate_(?!collect|worlds)"
MOST_SECONDS = 3600
SFT_OF_BURGER = "results/smoke/models/burger/sft/model.safetensors"


def find_obstacle():
    """Why these tests can't run here, "" if they can."""
    if os.environ.get("TASKREASON_SLURM_TESTS") != "1":
        return "set TASKREASON_SLURM_TESTS=1 to run the workflow on a real SLURM"
    if os.geteuid() != 0:
        return "SLURM's daemons have to be started by root"
    needed = ["munged", "slurmctld", "slurmd", "sbatch", "git"]
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        packages = "slurmctld slurmd slurm-client munge git"
        return f"{', '.join(missing)} missing: apt-get install --no-install-recommends {packages}"
    if not find_spec("snakemake_executor_plugin_slurm"):
        return "the SLURM plugin is not installed: envs/bootstrap.sh slurm"
    return ""


OBSTACLE = find_obstacle()
needs_slurm = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment in which SLURM's programs find the cluster."""
    base = tmp_path_factory.mktemp("slurm")
    folder = base / "cluster"
    started = subprocess.run(
        [UP, folder, *(["accounting"] if ACCOUNTING else [])], text=True, capture_output=True
    )
    try:
        assert started.returncode == 0, started.stderr
        yield os.environ | {"SLURM_CONF": str(folder / "etc" / "slurm.conf")}
    finally:
        if folder.exists():
            shutil.copytree(folder / "log", base / "log")
            subprocess.run([DOWN, folder], check=True)
    left = subprocess.run(["ps", "-eo", "args"], text=True, capture_output=True).stdout
    assert not folder.exists() and str(folder) not in left
    assert not os.path.lexists("/etc/slurm/slurm.conf")


@pytest.fixture
def checkout(tmp_path):
    """A fresh copy of what is committed."""
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@contextmanager
def run_on_cluster(checkout, cluster, log, *options, targets=()):
    """The workflow at the smoke scale under the SLURM profile, started; its output goes to a file."""
    command = [sys.executable, "-m", "snakemake", *targets, "--profile", "profiles/slurm"]
    # The files are on this machine and its SLURM answers at once.
    command += ["--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "2"]
    command += ["--config", "scale=smoke", *options]
    with log.open("w") as output:
        run = subprocess.Popen(
            command, cwd=checkout, env=cluster, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield run
    finally:
        if run.poll() is None:
            run.terminate()
            run.wait()


def ask(cluster, *command):
    return subprocess.run(
        command, env=cluster, check=True, capture_output=True, text=True
    ).stdout.strip()


def list_jobs(cluster):
    """Every job of the workflow that SLURM knows of, oldest first: its fields by SLURM's names, and its rule."""
    jobs = []
    for line in ask(cluster, "scontrol", "show", "job", "--oneliner").splitlines():
        job = dict(word.partition("=")[::2] for word in line.split())
        if job.get("Comment", "").startswith("rule_"):
            job["rule"] = re.sub(r"_wildcards_.*|^rule_", "", job["Comment"])
            jobs.append(job)
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def report(cluster, file, capsys, *further):
    """Write down what SLURM tells of all jobs, and show it."""
    parts = [f"{line}\n" for line in further]
    columns = "%.6i %.9T %.9P %.11l %.10M %.7m %k"
    commands = [["squeue", "--states=all", f"--format={columns}", "--sort=i"]]
    if ACCOUNTING:
        columns = "jobid,state%12,partition%9,alloctres%55,timelimit,elapsed,exitcode,comment%60"
        commands.append(["sacct", "--allocations", f"--format={columns}"])
    parts += [f"$ {' '.join(command)}\n{ask(cluster, *command)}\n" for command in commands]
    details = ask(cluster, "scontrol", "show", "job", "--details")
    file.write_text("\n".join([*parts, "$ scontrol show job --details", details]) + "\n")
    with capsys.disabled():
        print("", file, *parts, sep="\n")


def wait_for(condition, what, seconds=900):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {what} within {seconds} s")


def signal_training(cluster, checkout, signal):
    """Send a signal to the job of SFT on burger once it has written a checkpoint; the job's number."""
    checkpoints = checkout / "results" / "smoke" / "checkpoints" / "burger" / "sft"
    wait_for(lambda: list(checkpoints.glob("checkpoint-*/trainer_state.json")), "checkpoint")
    job = [job for job in list_jobs(cluster) if job["rule"] == "train_sft"][-1]
    ask(cluster, "scancel", f"--signal={signal}", job["JobId"])
    return int(job["JobId"])


def attempts_since(cluster, first):
    """State, memory in MiB and time limit of each attempt at a training, the given job the first."""
    return [
        (job["JobState"], int(job["MinMemoryNode"].removesuffix("M")), job["TimeLimit"])
        for job in list_jobs(cluster)
        if job["rule"] == "train_sft" and int(job["JobId"]) >= first
    ]


def train_disturbed(cluster, checkout, folder, capsys, signal, resources):
    """SFT on burger whose job gets a signal: the job's number, the attempts from it on, Snakemake's output.

    It has to succeed in the end, on from a checkpoint.
    """
    log = folder / "snakemake.log"
    options = [f"resources={resources}", LONG_SFT]
    with run_on_cluster(checkout, cluster, log, *options, targets=[SFT_OF_BURGER]) as run:
        disturbed = signal_training(cluster, checkout, signal)
        status = run.wait(MOST_SECONDS)
    resumed = (checkout / "results/smoke/logs/train_sft/burger.log").read_text()
    report(cluster, folder / "evidence.txt", capsys, "the last attempt's log:", resumed)
    assert status == 0, log.read_text()[-6000:]
    assert re.search(r"resuming from .*checkpoint-\d+", resumed)
    return disturbed, attempts_since(cluster, disturbed), log.read_text()


def test_the_profile_is_one_that_snakemake_and_the_plugin_take(tmp_path):
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    partitions = yaml.safe_load((PROFILE / profile["slurm-partition-config"]).read_text())
    assert any("max_gpu" in limits for limits in partitions["partitions"].values())
    assert profile["retries"] and not [name for name, body in read_rules() if "retries:" in body]
    if not find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the SLURM plugin is not installed: envs/bootstrap.sh slurm")
    assert count_jobs(run_snakemake(tmp_path, "-n", "--profile", str(PROFILE)))["train_grpo"] == 4


@needs_slurm
def test_each_job_gets_a_gpu_of_its_own(cluster, tmp_path):
    # Each waits for the other, so that both hold theirs at the same time.
    script = "echo got $CUDA_VISIBLE_DEVICES; until [ -s 1.txt -a -s 2.txt ]; do sleep 0.1; done"
    command = ["sbatch", "--wait", "--partition=gpu", "--gpus=1", "--time=5", "--chdir", tmp_path]
    pair = [
        subprocess.Popen(
            [*command, f"--output={number}.txt", "--wrap", script],
            env=cluster,
            stdout=subprocess.DEVNULL,
        )
        for number in (1, 2)
    ]
    assert [job.wait() for job in pair] == [0, 0]
    assert {file.read_text() for file in tmp_path.glob("*.txt")} == {"got 0\n", "got 1\n"}


@needs_slurm
@pytest.mark.slow
def test_every_rule_runs_as_a_slurm_job(cluster, checkout, tmp_path, capsys):
    # Of no job: rules without a command and those that run where Snakemake does.
    remote = {
        name
        for name, body in read_rules()
        if re.search(r"^    (script|shell):", body, re.MULTILINE) and "localrule: True" not in body
    }
    here = {"all", *(name for name, _ in read_rules())} - remote
    plan = run_snakemake(checkout, "-n", *TARGETS, "--config", "scale=smoke", *WHOLE, root=checkout)
    planned = {rule: count for rule, count in count_jobs(plan).items() if rule not in here}
    assert planned.keys() >= remote and planned["train_grpo"] == 4
    before = len(list_jobs(cluster))
    log = tmp_path / "snakemake.log"
    options = ["resources={gpu: 1}", *WHOLE]
    with run_on_cluster(checkout, cluster, log, *options, targets=TARGETS) as run:
        status = run.wait(MOST_SECONDS)
    jobs = list_jobs(cluster)[before:]
    counts = ", ".join(f"{rule} {count}" for rule, count in sorted(planned.items()))
    report(cluster, tmp_path / "evidence.txt", capsys, f"planned: {counts}")
    assert status == 0, log.read_text()[-6000:]

    assert Counter(job["rule"] for job in jobs) == planned
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    for job in jobs:
        on_gpu = job["Partition"] == "gpu"
        assert on_gpu == bool(re.match(ON_GPU, job["rule"])), job
        assert job.get("TresPerJob", "").endswith("gpu:1") == on_gpu, job
    if ACCOUNTING:
        numbers = [job["JobId"] for job in jobs]
        command = ["sacct", "--allocations", "--noheader", "--parsable2", "--format=comment"]
        comments = ask(cluster, *command, f"--jobs={','.join(numbers)}").splitlines()
        assert sorted(comments) == sorted(job["Comment"] for job in jobs)
    assert (checkout / "results" / "tables" / "main.csv").stat().st_size > 0


@needs_slurm
@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_checkpoint(cluster, checkout, tmp_path, capsys):
    resources = "{gpu: 1, mem_mb: 1500}"
    _, attempts, _ = train_disturbed(cluster, checkout, tmp_path, capsys, "KILL", resources)
    assert [attempt[:2] for attempt in attempts] == [("CANCELLED", 1500), ("COMPLETED", 3000)]


@needs_slurm
@pytest.mark.slow
def test_a_training_past_its_time_limit_gets_more_time(cluster, checkout, tmp_path, capsys):
    resources = "{gpu: 1, mem_mb: 1500, runtime: 1}"
    hung, attempts, log = train_disturbed(cluster, checkout, tmp_path, capsys, "STOP", resources)
    assert f"SLURM-job '{hung}' failed, SLURM status is: 'TIMEOUT'" in log
    states, memory, limits = zip(*attempts, strict=True)
    assert len(states) > 1 and states[0] == "TIMEOUT" and states[-1] == "COMPLETED"
    assert all(limit == f"00:0{mib // 1500}:00" for mib, limit in zip(memory, limits, strict=True))
