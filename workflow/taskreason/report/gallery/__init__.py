"""The episode gallery: one HTML file in which the episodes of a run can be stepped through.

`records` replays episodes, `tasks` reads a run's episodes and picks the worlds that are shown, `page` puts them into a
page that needs nothing but itself. How a state is drawn is up to the environment; `records` has a plain way for those
that draw nothing.
"""
