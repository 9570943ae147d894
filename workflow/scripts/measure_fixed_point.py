"""Choose the states on which GRPO is run to its fixed point, or measure them after it."""

from pathlib import Path

from job import configure, folder, logged

with logged(snakemake):
    from taskreason.policies.reader import Reader
    from taskreason.theory.choice import choose_states, measure_states

    cfg, given = configure(snakemake), snakemake.input
    reader = Reader.load(folder(given.model), cfg, snakemake.params.temperature)
    run = choose_states if snakemake.params.choose else measure_states
    run(reader, Path(given.states), cfg, Path(snakemake.output[0]))
