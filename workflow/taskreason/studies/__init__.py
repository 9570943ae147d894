"""Studies beside the reproduction: ablations, sweeps, and comparisons of runs."""
