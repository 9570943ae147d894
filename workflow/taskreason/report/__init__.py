"""Tables, figures and the paper's macros, from result files alone; nothing here imports torch."""
