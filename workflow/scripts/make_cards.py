"""Write the cards of the trained models and of the trajectories."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.config.load import load_config
    from taskreason.report.cards.write import write_dataset_card, write_model_card

    cfg = load_config(snakemake.config)
    for card, episodes in snakemake.params.models.items():
        write_model_card(Path(card), cfg, [Path(path) for path in episodes])
    write_dataset_card(
        Path(snakemake.output.dataset), cfg, [Path(path) for path in snakemake.input.summaries]
    )
