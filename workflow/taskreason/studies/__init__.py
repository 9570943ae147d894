"""Studies around the reproduction: ablations, sweeps, and comparisons of runs."""
