"""Files that can be trusted: checksums, partial results, resume, provenance, and errors a person can act on."""
