"""The `taskreason` command, and what is checked before a run starts."""
