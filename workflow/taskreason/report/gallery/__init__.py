"""The episode gallery: one HTML file in which the episodes of a run can be stepped through.

`records` replays episodes with the project's simulator and planner, `tasks` reads a run's episodes and picks the
kitchens that are shown, `page` puts them into a page that needs nothing but itself.
"""
