"""Train one point of a sweep: SFT anew where that is what changes, then GRPO, watched in validation worlds."""

import shutil
from dataclasses import replace
from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.training.grpo import train_grpo
    from taskreason.training.setup import TrainingFiles
    from taskreason.training.sft import train_sft

    given, output, task = snakemake.input, snakemake.output, snakemake.params.task
    cfg, work = configure(snakemake), Path(snakemake.params.checkpoints)
    files = TrainingFiles(
        trajectories=Path(given.trajectories),
        start=folder(given.base),
        model=work / "sft",
        checkpoints=work / "checkpoints",
        curve=work / "sft.csv",
        provenance=work / "provenance.json",
        worlds=Path(given.validation),
        validation=Path(output.validation),
    )
    if not given.sft and not files.model.is_dir():
        train_sft(task, cfg, files)
    start = folder(given.sft) if given.sft else files.model
    tuned = replace(files, start=start, model=work / "grpo", curve=Path(output.curve))
    train_grpo(task, cfg, tuned)
    shutil.rmtree(work)
