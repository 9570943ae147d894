"""Bring a model into the local cache, from the hub or out of a GGUF file, and note which one it was."""

from pathlib import Path

from job import logged

with logged(snakemake):
    from taskreason.policies.model_names import fetch

    fetch(snakemake.params.model, Path(snakemake.output[0]))
