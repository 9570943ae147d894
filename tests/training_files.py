"""Where a training of the tests reads and writes: everything that it makes lies in one folder."""

from taskreason.training.setup import TrainingFiles


def files_in(folder, trajectories, start):
    """The files of a training from a model's folder."""
    return TrainingFiles(
        trajectories=trajectories,
        start=start,
        model=folder / "model",
        checkpoints=folder / "checkpoints",
        curve=folder / "curve.csv",
        provenance=folder / "provenance.json",
    )
