"""One training as a job: in this process, or in several that accelerate starts.

With ``train.accelerate`` the job is written down as JSON and read by every process of
``accelerate launch … -m taskreason.training.launch JOB``; without, it runs right here.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.training.setup import TrainingFiles


@dataclass(frozen=True)
class Job:
    """A training to be done. stage: "sft", "sft_longer" or "grpo". tokens: of the last two, which say what for."""

    stage: str
    task: str
    files: TrainingFiles
    tokens: int = 0


def run(job: Job, cfg: Config) -> None:
    """Do the training in the number of processes that train.accelerate asks for; returns when the model is written."""
    if not cfg.train.accelerate:
        train(job, cfg)
        return
    path = job.files.checkpoints.with_name(f".{job.files.checkpoints.name}.job.json")
    write_job(path, job, cfg)
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", cfg.train.accelerate]
    command += ["-m", "taskreason.training.launch", str(path)]
    done = subprocess.run(command)
    path.unlink()
    if done.returncode:
        raise UserError(
            f"{job.stage} on {job.task}: a process of `accelerate launch` failed with status {done.returncode}; "
            "its message is above in this log."
        )


def train(job: Job, cfg: Config) -> None:
    """Do the training in this process."""
    from taskreason.training.grpo import train_grpo
    from taskreason.training.sft import train_sft, train_sft_longer

    if job.stage == "sft":
        train_sft(job.task, cfg, job.files)
    else:
        train = {"sft_longer": train_sft_longer, "grpo": train_grpo}[job.stage]
        train(job.task, cfg, job.files, job.tokens)


def write_job(path: Path, job: Job, cfg: Config) -> None:
    """Write a job and its configuration down as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"job": asdict(job), "config": asdict(cfg)}, default=str))


def read_job(path: Path) -> tuple[Job, Config]:
    """What :func:`write_job` wrote down."""
    values = json.loads(path.read_text())
    return TypeAdapter(Job).validate_python(values["job"]), load_config(values["config"])


if __name__ == "__main__":
    try:
        train(*read_job(Path(sys.argv[1])))
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)
