"""Write the episode gallery of the current scale: one HTML file."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.gallery.page import write_gallery

    params = snakemake.params
    write_gallery(
        configure(snakemake).env,
        Path(params.root),
        params.scale,
        params.timeouts,
        params.worlds,
        Path(snakemake.output[0]),
    )
