"""How tables and text are written: LaTeX, HTML, Markdown."""
