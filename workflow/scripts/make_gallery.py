"""Write the episode gallery of the current scale: one HTML file."""

from pathlib import Path

from job import configure, logged

with logged(snakemake):
    from taskreason.report.gallery.page import write_gallery

    root, output = Path(snakemake.params.root), Path(snakemake.output[0])
    write_gallery(configure(snakemake), root, output)
