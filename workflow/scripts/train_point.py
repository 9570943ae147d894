"""Train one point of a sweep: SFT anew where that is what changes, then GRPO, watched on validation kitchens."""

import shutil
from dataclasses import replace
from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.studies.sweep import apply_point
    from taskreason.training.grpo import train_grpo
    from taskreason.training.setup import TrainingFiles
    from taskreason.training.sft import train_sft

    cfg = load_config(
        apply_point(snakemake.config | {"sft": snakemake.params.sft}, snakemake.wildcards.point)
    )
    task, work, sft = snakemake.params.task, Path(snakemake.params.checkpoints), snakemake.input.sft
    files = TrainingFiles(
        trajectories=Path(snakemake.input.trajectories),
        start=folder(snakemake.input.base),
        model=work / "sft",
        checkpoints=work / "checkpoints",
        curve=work / "sft.csv",
        provenance=work / "provenance.json",
    )
    if not sft and not files.model.is_dir():
        train_sft(task, cfg, files)
    train_grpo(
        task,
        cfg,
        replace(
            files,
            start=folder(sft) if sft else files.model,
            model=work / "grpo",
            curve=Path(snakemake.output.curve),
        ),
        Path(snakemake.input.kitchens),
        Path(snakemake.output.validation),
    )
    shutil.rmtree(work)
