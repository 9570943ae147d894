"""How much one search may cost before it gives up, and what it says on the way."""

from time import monotonic

from taskreason.durability.progress import is_due, say
from taskreason.environments.base import SearchError

WATCHED = 1024
"""States between two looks at the clock."""


class Effort:
    """Counts the states that a search expands.

    source: the layout's name, for messages. limit: states after which a search gives up. seconds: the same in time;
    None for as long as the states last.
    """

    def __init__(self, source: str, limit: int, seconds: float | None):
        self.source, self.limit, self.seconds = source, limit, seconds
        self.expanded, self._started = 0, monotonic()

    def begin(self) -> None:
        """A new search."""
        self.expanded, self._started = 0, monotonic()

    def spend(self, steps: int) -> None:
        """One state more, while it is known that a plan takes ``steps`` or more; SearchError where it was too much."""
        self.expanded += 1
        if self.expanded > self.limit:
            raise SearchError(
                f"{self.source}: the planner gave up after {self.limit:,} states; "
                "use a smaller kitchen or a goal made of stacked items."
            )
        if self.expanded % WATCHED == 0:
            self._watch(steps)

    def _watch(self, steps: int) -> None:
        """Say how far the search is, where a line is due; SearchError where its time is over."""
        if self.seconds is not None and monotonic() - self._started >= self.seconds:
            raise SearchError(
                f"{self.source}: no plan was found in {self.seconds:g} s, but any takes {steps} steps or more; "
                "give the search more time (--seconds)."
            )
        if is_due():
            say(
                f"{self.source}: {self.expanded:,} states searched, a plan takes {steps} steps or more"
            )
