"""The `taskreason` command, what is checked before a run starts, and what is seen while it runs."""
