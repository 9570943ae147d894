"""Play the worlds of the further kinds of one task with one policy."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.rollouts.splits import play_splits

    given, params = snakemake.input, snakemake.params
    play_splits(
        params.policy,
        folder(given.model) if given.get("model") else None,
        params.task,
        configure(snakemake),
        [Path(path) for path in given.worlds],
        Path(snakemake.output[0]),
    )
