"""Cards for models and trajectories."""
