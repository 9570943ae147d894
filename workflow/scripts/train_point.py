"""Train one point of a sweep: SFT anew where that is what changes, then GRPO, watched on validation kitchens."""

import shutil
from pathlib import Path

from job import folder, logged

with logged(snakemake):
    from taskreason.config import load_config
    from taskreason.sweep import apply_point
    from taskreason.train.grpo import train_grpo
    from taskreason.train.sft import train_sft

    cfg = load_config(apply_point(snakemake.config, snakemake.wildcards.point))
    task, work = snakemake.params.task, Path(snakemake.params.work)
    trajectories, log = Path(snakemake.input.trajectories), Path(snakemake.output.curve)

    def files(stage):
        """Model, checkpoints, log and provenance of a stage."""
        return [
            work / name for name in (stage, f"{stage}.checkpoints", f"{stage}.csv", f"{stage}.json")
        ]

    sft = snakemake.input.sft
    start = folder(sft) if sft else work / "sft"
    if not sft and not (start / "config.json").exists():
        train_sft(task, cfg, trajectories, folder(snakemake.input.base), *files("sft"))
    model, checkpoints, _, provenance = files("grpo")
    train_grpo(
        task,
        cfg,
        trajectories,
        start,
        model,
        checkpoints,
        log,
        provenance,
        Path(snakemake.input.kitchens),
        Path(snakemake.output.validation),
    )
    shutil.rmtree(work)
