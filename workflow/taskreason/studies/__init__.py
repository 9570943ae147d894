"""Studies that go beyond the reproduction: ablations, sweeps, and comparisons of runs."""
