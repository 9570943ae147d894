"""Episodes and data sets: collecting, reading, playing, scoring."""
