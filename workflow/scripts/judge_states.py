"""Play the evaluation worlds with a policy, and score its single replies on two kinds of states."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.rollouts.own_states import judge

    given, output = snakemake.input, snakemake.output
    judge(
        folder(given.model),
        snakemake.params.task,
        configure(snakemake),
        Path(given.worlds),
        Path(given.failed),
        Path(output.episodes),
        Path(output.single_turn),
    )
