"""Write the cards of the trained models and of the trajectories."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.cards.croissant import write_croissant
    from taskreason.report.cards.write import write_dataset_card, write_model_card

    cfg, summaries = configure(snakemake), map(Path, snakemake.input.summaries)
    for card, episodes in snakemake.params.models.items():
        write_model_card(Path(card), cfg, [Path(path) for path in episodes])
    write_dataset_card(Path(snakemake.output.dataset), cfg, list(summaries))
    trajectories = [Path(file) for file in snakemake.input.trajectories]
    write_croissant(Path(snakemake.output.croissant), cfg, trajectories)
