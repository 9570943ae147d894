"""The episode gallery: one HTML file in which the episodes of a run can be stepped through."""
