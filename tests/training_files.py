"""Where a training of the tests reads and writes: everything that it makes lies in one folder."""

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
