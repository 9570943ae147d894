"""Evaluate one policy: episodes on unseen kitchens, single replies on unseen expert states."""

from pathlib import Path

from job import folder, logged


def by_task(files):
    return {task: Path(file) for task, file in zip(snakemake.params.eval_tasks, files, strict=True)}


with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.rollouts.evaluate import evaluate

    files, name = snakemake.input.get("model"), snakemake.params.get("model")
    evaluate(
        snakemake.params.policy,
        snakemake.params.train_task,
        folder(files) if files else name,
        load_config(snakemake.config).for_seed(snakemake.params.seed),
        kitchens=by_task(snakemake.input.kitchens),
        episodes=by_task(snakemake.output.episodes),
        single_turn=by_task(snakemake.output.single_turn),
    )
