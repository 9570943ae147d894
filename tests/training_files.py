"""Where a training of the tests reads and writes: everything that it makes lies in one folder."""

from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import make_worlds
from taskreason.training.setup import TrainingFiles


def files_in(folder, trajectories, start, worlds=None, training=None):
    """The files of a training from a model's folder; worlds, training: those of GRPO."""
    return TrainingFiles(
        trajectories=trajectories,
        start=start,
        model=folder / "model",
        checkpoints=folder / "checkpoints",
        curve=folder / "curve.csv",
        provenance=folder / "provenance.json",
        worlds=worlds,
        validation=folder / "validation.csv",
        training=training,
    )


def make_data(folder, task, cfg):
    """Worlds, the expert's decisions and validation worlds of a task."""
    make_worlds(task, "train", cfg, folder / "train.jsonl")
    collect(task, cfg, folder / "train.jsonl", folder / "decisions.jsonl", folder / "summary.json")
    make_worlds(task, "validation", cfg, folder / "validation.jsonl", [folder / "train.jsonl"])
