"""Download a model of the hub into the local cache, and note which revision it was."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.policies.model_names import fetch, from_file_name

    fetch(from_file_name(snakemake.wildcards.name), Path(snakemake.output[0]))
