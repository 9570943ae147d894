"""Label the states that a policy came to: its own in training worlds, or those of its failures in evaluation worlds."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.rollouts.own_states import write_failed_states, write_own_states

    given, output = snakemake.input, Path(snakemake.output[0])
    made = (snakemake.params.task, configure(snakemake), Path(given.worlds), Path(given.episodes))
    if given.get("trajectories"):
        write_own_states(*made, Path(given.trajectories), output)
    else:
        write_failed_states(*made, output)
