"""The exact planner of the kitchens."""
