"""Write the episode gallery of the current scale: one HTML file."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.report.gallery.page import write_gallery

    params = snakemake.params
    write_gallery(
        Path("results") / params.scale,
        params.scale,
        params.tasks,
        params.timeouts,
        params.kitchens,
        Path(snakemake.output[0]),
    )
